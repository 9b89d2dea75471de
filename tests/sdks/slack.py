"""Uses Slack's SDK `slack_sdk` against Relink: slack.py BASE_URL, with the token in RELINK_TOKEN. Prints what it found as JSON.
Of what a program would do at Slack itself, only the base URL and the token differ."""

import json
import os
import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token=os.environ["RELINK_TOKEN"], base_url=sys.argv[1])
user = client.auth_test()["user"]
channels = [channel for page in client.conversations_list(limit=80) for channel in page["channels"]]
posted = client.chat_postMessage(channel=channels[0]["id"], text="From slack_sdk")
try:
    client.conversations_info(channel="C0NOBODY")
    error = None
except SlackApiError as refused:
    error = refused.response["error"]
print(json.dumps({"user": user, "channels": len(channels), "text": posted["message"]["text"], "error": error}))
