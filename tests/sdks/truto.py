"""Calls every method of Truto's SDK `truto-python-sdk` against Relink: truto.py BASE_URL FACTS, with the token in RELINK_TOKEN.
FACTS is JSON with what there is: `account`, `environment_integration`, `integration`, `mcp_token`, and `target` and `sync_target`, webhooks' URLs.
Prints what the client gave, as JSON. What was refused is a list: the status and its reason, which is all that the client tells."""

import asyncio
import datetime
import json
import os
import sys

from aiohttp import ClientResponseError
from truto_python_sdk import TrutoApi

FACTS = json.loads(sys.argv[2])
ACCOUNT = FACTS["account"]
OF_ACCOUNT = {"integrated_account_id": ACCOUNT}
SINCE_TODAY = {"gt": datetime.datetime.now() - datetime.timedelta(days=1), "lt": datetime.datetime.now() + datetime.timedelta(days=1)}
ACME = {
    "name": "acme",
    "category": "crm",
    "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"format": "api_key", "config": {"fields": [
            {"name": "api_key", "label": "Key", "type": "password", "required": True}]}},
        "authorization": {"format": "bearer", "config": {"token": "{{api_key}}"}},
    },
}
# Parts of Truto that Relink lacks, and what else than a list and one of it can be asked for.
ABSENT = [
    "alarms", "daemons", "daemon_jobs", "daemon_job_runs", "daemon_job_cron_triggers", "static_gates",
]


class Member:
    """A member of the client, which notes its methods that are called."""

    called = set()

    def __init__(self, name, member):
        self.name, self.member = name, member

    def __getattr__(self, method):
        self.called.add(f"{self.name}.{method}")
        return getattr(self.member, method)


class Client:
    """The SDK's client. Its members are those of the SDK."""

    def __init__(self, token):
        self.api = TrutoApi(token=token, base_url=sys.argv[1])
        for name, member in vars(self.api).items():
            if hasattr(member, "api_client"):
                setattr(self, name, Member(name, member))

    def methods(self):
        """The names of all methods."""
        for name, member in vars(self.api).items():
            if hasattr(member, "api_client"):
                for method, value in vars(type(member)).items():
                    if callable(value) and (method == "_import" or not method.startswith("_")):
                        yield f"{name}.{method}"


async def outcome(call):
    """What a call gives, or how it was refused."""
    try:
        return await call
    except ClientResponseError as refused:
        return [refused.status, refused.message]


async def all_and_first(member):
    rows = await member.list(limit=50).to_array()
    return {"all": rows, "first": await member.get(rows[0]["id"])}


async def organization(client):
    return {
        "ping": await client.api.ping(),
        "users": await all_and_first(client.users),
        "teams": await all_and_first(client.teams),
        "environments": await all_and_first(client.environments),
        "api_tokens": await all_and_first(client.api_tokens),
        "categories": await client.categories.list().to_array(),
    }


async def integrations(client):
    integrations, installed, documentation = client.integrations, client.environment_integrations, client.documentations
    created = await integrations.create(ACME)
    updated = await integrations.update(created["id"], {"version": created["version"], "config": {"label": "Acme CRM"}})
    stale = integrations.update(created["id"], {"version": created["version"], "config": {"label": "Late"}})
    installation = await integrations.install(created["id"])
    readme = await documentation.create(
        {"entity_type": "integration", "entity_id": created["id"], "type": "readme", "content": "# Acme"})
    found = {
        "created": created,
        "updated": updated["config"]["label"],
        "stale": await outcome(stale),
        "listed": await integrations.list(name="acme").to_array() == [await integrations.get(created["id"])],
        "installation": installation,
        "installed": await installed.list(integration_id=created["id"]).to_array() == [await installed.get(installation["id"])],
        "hidden": (await installed.update(installation["id"], {"show_in_catalog": False}))["show_in_catalog"],
        "documentation": await documentation.list(integration_id=created["id"]).to_array()
        == [readme] == [await documentation.get(readme["id"])],
        "documented": (await documentation.update(readme["id"], {"content": "# New"}))["content"],
        "undocumented": await documentation.delete(readme["id"]) == {"id": readme["id"]},
        "uninstalled": await integrations.uninstall(installation["id"]) == {"id": installation["id"]},
        "deleted": await integrations.delete(created["id"]) == {"id": created["id"]},
        "gone": await outcome(integrations.get(created["id"])),
    }
    return found


async def accounts(client):
    accounts, sandbox = client.integrated_accounts, client.sandbox_integrated_accounts
    since = {"gt": datetime.datetime(2021, 1, 1)}
    imported = await accounts._import({
        "tenant_id": "imported", "environment_integration_id": FACTS["environment_integration"],
        "authentication_method": "api_key", "context": {"api_key": "k-1", "plan": "pro"}})
    token = await accounts.create_integrated_account_token(ACCOUNT)
    contacts = Client(token["integrated_account_token"]).proxy_api
    listed = accounts.list(tenant_id={"in": ["crm", "imported"]}, created_at=since, is_sandbox=False, status=None, limit=1)
    found = {
        "imported": imported,
        "listed": [account["tenant_id"] async for account in listed],
        "got": await accounts.get(ACCOUNT),
        "updated": (await accounts.update(ACCOUNT, {"context": {"team": "core"}}))["context"]["team"],
        "own": len(await contacts.list("contacts", {}).to_array()),
        "refreshed": await accounts.refresh_credentials(ACCOUNT),
        "steps": await accounts.run_post_install_actions(ACCOUNT),
        "link_token": (await client.link_tokens.create(OF_ACCOUNT))["link_token"],
        "marked": await sandbox.create({"id": imported["id"]}),
        "written": await outcome(client.proxy_api.create("contacts", {}, {"integrated_account_id": imported["id"]})),
        "sandbox": await sandbox.list(limit=1).to_array() == [await sandbox.get(imported["id"])],
        "unmarked": await sandbox.delete(imported["id"]) == {"id": imported["id"]},
        "deleted": (await accounts.delete(imported["id"]))["id"] == imported["id"],
        "gone": await outcome(accounts.get(imported["id"])),
    }
    return found


async def calls(client):
    proxy, custom = client.proxy_api, client.custom_api
    page = {**OF_ACCOUNT, "limit": 2}
    created = await proxy.create("contacts", {"name": "Ada"}, OF_ACCOUNT)
    put = await custom.put("contacts/70", {"name": "Grace"}, **OF_ACCOUNT)
    found = {
        "listed": [contact["id"] async for contact in proxy.list("contacts", dict(page))],
        "page": await proxy.list("contacts", dict(page)).next_page(),
        "filtered": await proxy.list("contacts", {**OF_ACCOUNT, "name": "Contact 3"}).to_array(),
        "got": await proxy.get("contacts", "3", OF_ACCOUNT),
        "created": created,
        "updated": await proxy.update("contacts", created["id"], {"name": "Ada L."}, OF_ACCOUNT),
        "deleted": await proxy.delete("contacts", created["id"], OF_ACCOUNT),
        "gone": await outcome(proxy.get("contacts", created["id"], OF_ACCOUNT)),
        "custom": {
            "get": await custom.get("contacts/3", **OF_ACCOUNT),
            "post": await custom.post("contacts/merge", {"into": "1", "from": "2"}, **OF_ACCOUNT),
            "put": put,
            "patch": await custom.patch("contacts/70", {"name": "Grace H."}, **OF_ACCOUNT),
            "delete": len(await custom.delete("contacts/70", **OF_ACCOUNT)),
            "text": await custom.get("export", **OF_ACCOUNT),
            "bytes": (await custom.get("picture", **OF_ACCOUNT)).hex(),
        },
        "batch": await client.batch_requests.create({**OF_ACCOUNT, "resources": [{"resource": "contacts", "method": "list", "persist": True}]}),
    }
    for method in (proxy.custom_method, lambda *given: client.unified_api.custom_method("crm", *given)):
        try:
            method("contacts", "merge", {}, OF_ACCOUNT)
        except TypeError:
            found.setdefault("type_errors", []).append("data")
    # Calls are recorded a moment later.
    put = {"log_type": "unified_proxy_api", "log_type_filter": {"method": "PUT", **OF_ACCOUNT}, "created_at": SINCE_TODAY, "limit": 1}
    while not (rows := await client.logs.list(**put).to_array()):
        await asyncio.sleep(0.1)
    found["log"] = rows
    return found


async def mcp(client):
    token, mcp = FACTS["mcp_token"], client.mcp
    begun = await mcp.initialize(token, "relink-tests", "1.0")
    tools = (await mcp.list_tools(token))["result"]["tools"]
    called = await mcp.call_tool(token, "get_single_crm_contact_by_id", {"id": "3"})
    return {
        "begun": begun["result"]["protocolVersion"],
        "tools": [tool["name"] for tool in tools],
        "called": json.loads(called["result"]["content"][0]["text"]),
        "ping": await mcp.call(token, {"jsonrpc": "2.0", "id": "p", "method": "ping"}),
    }


async def webhooks(client):
    webhooks = client.webhooks
    created = await webhooks.create({"target_url": FACTS["target"], "event_types": ["record:*"], "is_active": True})
    other = await webhooks.create({"target_url": FACTS["target"], "event_types": ["integrated_account:*"]})
    event = {"type": "created", "contact": {"id": "9"}, "workspace_id": "w-1"}
    account, integration = client.integrated_account_webhooks, client.environment_integration_webhooks
    found = {
        "created": {key: created[key] for key in ("target_url", "event_types", "is_active")},
        "secret": bool(created["secret"]),
        "listed": sorted(row["id"] for row in await webhooks.list().to_array()) == sorted([created["id"], other["id"]]),
        "got": (await webhooks.get(other["id"]))["is_active"],
        "updated": (await webhooks.update(other["id"], {"is_active": False}))["is_active"],
        "tested": await webhooks.test(created["id"]),
        "deleted": await webhooks.delete(other["id"]) == {"id": other["id"]},
        "of_account": [await account.process(ACCOUNT, {"challenge": "c-1"}), await account.process(ACCOUNT, event)],
        "of_integration": [
            await integration.process(FACTS["environment_integration"], {"challenge": "c-2"}),
            await integration.process(FACTS["environment_integration"], event),
        ],
    }
    return found


async def unified(client):
    models, installed, unified = client.unified_models, client.environment_unified_models, client.unified_api
    created = await models.create({"name": "people", "category": "crm", "resources": {"contacts": {"methods": ["list", "get"]}}})
    updated = await models.update(created["id"], {"version": created["version"], "description": "Ours"})
    row = await models.install(created["id"])
    mapping = {
        "request_body_mapping": "{ 'name': body.full_name }", "response_mapping": "response.{ 'id': $string(id), 'full_name': name }",
    }
    methods = {method: mapping for method in ("list", "get", "create", "update", "delete")}
    methods["list"] = {key: mapping[key] for key in ("response_mapping",)}
    await client.integrated_accounts.update(ACCOUNT, {"unified_model_override": {"people": {"contacts": methods}}})
    plain = {**OF_ACCOUNT, "truto_ignore_remote_data": "true"}
    listed = await unified.list("people", "contacts", {**plain, "limit": 2}).to_array()
    new = await unified.create("people", "contacts", {"full_name": "Ada"}, plain)
    found = {
        "model": {key: updated[key] for key in ("name", "category", "description", "version")},
        "models": any(model["id"] == created["id"] for model in await models.list(name="people").to_array()),
        "got_model": (await models.get(created["id"]))["id"] == created["id"],
        "installed": row["unified_model_id"] == created["id"],
        "installations": [it["id"] for it in await installed.list().to_array()].count(row["id"]),
        "got_installation": (await installed.get(row["id"]))["unified_model"]["name"],
        "overridden": (await installed.update(row["id"], {"override": {"description": "Here"}}))["override"],
        "first": listed[0],
        "ids": len({contact["id"] for contact in listed}) == len(listed) > 2,
        "remote": (await unified.get("people", "contacts", listed[0]["id"], OF_ACCOUNT))["remote_data"],
        "created": new["full_name"],
        "updated": (await unified.update("people", "contacts", new["id"], {"full_name": "Ada L."}, plain))["full_name"],
        "deleted": await unified.delete("people", "contacts", new["id"], plain) == {"id": new["id"]},
        "gone": await outcome(unified.get("people", "contacts", new["id"], plain)),
        "unmapped": await outcome(unified.get("people", "deals", "1", plain)),
        "uninstalled": await models.uninstall(row["id"]) == {"id": row["id"]},
        "deleted_model": await models.delete(created["id"]) == {"id": created["id"]},
    }
    return found


async def sync(client):
    jobs, runs, triggers = client.sync_jobs, client.sync_job_runs, client.sync_job_cron_triggers
    hook = await client.webhooks.create({"target_url": FACTS["sync_target"], "event_types": ["integrated_account:deleted"]})
    new = {
        "label": "Contacts", "integration_name": "crm", "daemon_id": None,
        "args_schema": {"from": {"type": "string", "format": "date", "required": True}},
        "resources": [{"resource": "contacts", "method": "list"}],
    }
    job, other = await jobs.create(new), await jobs.create({"resources": []})
    request = {
        "sync_job_id": job["id"], **OF_ACCOUNT, "webhook_id": hook["id"], "args": {"from": "2026-01-31"}, "status": "created",
    }
    run = await runs.create(request)
    of_account = {**OF_ACCOUNT, "sync_job_id": job["id"], "created_at": SINCE_TODAY}
    ended = run
    while ended["status"] not in ("completed", "failed", "stopped"):
        await asyncio.sleep(0.1)
        ended = await runs.get(run["id"])
    # This one waits for nobody, and is stopped or over.
    second = await runs.create({"sync_job_id": other["id"]})
    trigger = await triggers.create({"sync_job_id": job["id"], "cron_expression": "0 * * * *", "args": {"from": "2026-01-31"}})
    found = {
        "job": {key: job[key] for key in ("label", "integration_name", "default_runtime_version")},
        "listed": [row["id"] for row in await jobs.list(integration_name="crm").to_array()] == [job["id"]],
        "got": (await jobs.get(job["id"])) == job,
        "updated": (await jobs.update(job["id"], {"label": "All contacts"}))["label"],
        "refused": await outcome(runs.create({**request, "args": {}})),
        "run": {key: run[key] for key in ("status", "args", "error_handling")},
        "ended": {key: ended[key] for key in ("status", "resource_stats")},
        "contacts": len(await client.proxy_api.list("contacts", dict(OF_ACCOUNT)).to_array()),
        "runs": [row["id"] for row in await runs.list(**of_account).to_array()] == [run["id"]],
        "no_runs": await runs.list(sync_job_id=job["id"], status="stopped").to_array(),
        "over": await outcome(runs.update(run["id"], {"status": "stopped"})),
        "deleted_run": await runs.delete(second["id"]) == {"id": second["id"]},
        "kept_run": (await runs.get(second["id"]))["id"] == second["id"],
        "triggers": [row["id"] for row in await triggers.list(sync_job_id=job["id"]).to_array()] == [trigger["id"]],
        "inactive": trigger["next_run_at"],
        "scheduled": await triggers.schedule(trigger["id"]),
        "active": bool((await triggers.get(trigger["id"]))["next_run_at"]),
        "changed_trigger": (await triggers.update(trigger["id"], {"cron_expression": "5 4 * * 1"}))["next_run_at"],
        "deleted_trigger": await triggers.delete(trigger["id"]) == {"id": trigger["id"]},
        "gone": await outcome(triggers.get(trigger["id"])),
        "deleted": await jobs.delete(job["id"]) == {"id": job["id"]},
        "log": await client.logs.list(log_type="rapid_bridge", log_type_filter={"sync_job_run_id": run["id"], "level": "error"}).to_array(),
    }
    await client.webhooks.delete(hook["id"])
    return found


async def workflows(client):
    workflows, runs = client.workflows, client.workflow_runs
    job = await client.sync_jobs.create({"resources": []})
    step = {"type": "run", "action": "run_sync_job", "config": {"sync_job_id": job["id"], "args": {"flow": "{{event.payload.context.flow}}"}}}
    new = {
        "trigger_name": "integrated_account:updated",
        "config": {"run_if": f"integrated_account_id = '{ACCOUNT}'", "steps": [step]},
    }
    created = await workflows.create(new)
    other = await workflows.create({"trigger_name": "sync_job_run:failed", "config": {"steps": [step]}})
    await client.integrated_accounts.update(ACCOUNT, {"context": {"flow": "workflows"}})
    while not (listed := await runs.list(workflow_id=created["id"], status="completed").to_array()):
        await asyncio.sleep(0.1)
    run = listed[0]
    made = await client.sync_job_runs.get(run["result"]["steps"][0]["result"]["sync_job_run_id"])
    found = {
        "created": {key: created[key] for key in new} == new,
        "listed": [row["id"] for row in await workflows.list(trigger_name="integrated_account:updated").to_array()] == [created["id"]],
        "got": await workflows.get(created["id"]) == created,
        "updated": (await workflows.update(other["id"], {"trigger_name": "sync_job_run:completed"}))["trigger_name"],
        "deleted_workflow": await workflows.delete(other["id"]) == {"id": other["id"]},
        "refused": await outcome(workflows.create({"trigger_name": "nothing:happened", "config": {"steps": [step]}})),
        "run": {key: run[key] for key in ("workflow_id", "status", "retry_attempt")} == {
            "workflow_id": created["id"], "status": "completed", "retry_attempt": 0},
        "got_run": await runs.get(run["id"]) == run,
        "made": [made["integrated_account_id"] == ACCOUNT, made["args"]["flow"]],
        "no_create": await outcome(runs.create({})),
        "no_update": await outcome(runs.update(run["id"], {})),
        "deleted": await workflows.delete(created["id"]) == {"id": created["id"]},
        "gone": await outcome(workflows.get(created["id"])),
        "deleted_run": await runs.delete(run["id"]) == {"id": run["id"]},
        "gone_run": await outcome(runs.get(run["id"])),
    }
    await client.sync_jobs.delete(job["id"])
    return found


async def datastores(client):
    datastores = client.datastores
    config = {"access_key_id": "k-1", "secret_access_key": "s-1", "region": "eu-central-1", "bucket": "exports", "base_url": "http://127.0.0.1:9"}
    created = await datastores.create({"type": "s3", "label": "Exports", "config": config})
    id = created["id"]
    return {
        "created": {key: created[key] for key in ("type", "label", "secrets")},
        "shown": sorted(created["config"]),
        "listed": await datastores.list(type="s3").to_array() == [created],
        "got": await datastores.get(id) == created,
        "updated": (await datastores.update(id, {"config": {"bucket": "other"}}))["config"]["bucket"],
        "lacking": await outcome(datastores.create({"type": "qdrant", "label": "Q", "config": {}})),
        "tested": await outcome(datastores.test(id, "uploadObject")),
        "deleted": await datastores.delete(id) == {"id": id},
        "gone": await outcome(datastores.get(id)),
    }


async def absent(client):
    found = {}
    for name in ABSENT:
        member = getattr(client, name)
        calls = {"list": member.list(limit=10).to_array()}
        for method, given in [("get", ["7"]), ("create", [{}]), ("update", ["7", {}]), ("delete", ["7"]), ("schedule", ["7"]),
                              ("test", ["7", "s3"]), ("install", ["7"]), ("uninstall", ["7"])]:
            if hasattr(type(member.member), method):
                calls[method] = getattr(member, method)(*given)
        found[name] = {method: await outcome(call) for method, call in calls.items()}
    return found


async def main():
    client = Client(os.environ["RELINK_TOKEN"])
    parts = [organization, integrations, accounts, calls, mcp, webhooks, unified, sync, workflows, datastores, absent]
    found = {part.__name__: await part(client) for part in parts}
    found["not_called"] = sorted(set(client.methods()) - Member.called)
    print(json.dumps(found))


asyncio.run(main())
