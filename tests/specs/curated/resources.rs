//! What is expected of the curated integrations' resources: a row for each, with each of its methods.

use anyhow::{Context, Result, bail};
use relink_tests::twin::Twin;
use serde_json::{Value, json};

/// A resource of a definition.
pub(super) struct Resource {
    pub(super) name: &'static str,
    /// The twin's collection.
    pub(super) collection: &'static str,
    /// Where a record has the ID that `get` takes.
    pub(super) id: &'static str,
    /// What calls need beside the ID.
    pub(super) query: Vec<(&'static str, String)>,
    /// What of a request the records belong to, at the twin.
    pub(super) request: Value,
    pub(super) methods: Vec<(&'static str, Expected)>,
}

/// What is expected of a method.
pub(super) enum Expected {
    /// The sizes of the pages, and those with a `limit`.
    List { pages: Vec<usize>, limit: Option<(usize, Vec<usize>)> },
    /// An ID that nothing has, and what the provider says of it.
    Get { unknown: &'static str, refusal: Refusal },
    /// A record, where the answer has its ID, a body that isn't one, and what the provider says of that.
    Create { body: Value, id: &'static str, incomplete: Value, refusal: Refusal },
    /// A list of some of the records that the twin has, as parts of another one.
    Parts,
    /// A change, an ID that nothing has, and what the provider says of it.
    Update { body: Value, unknown: &'static str, refusal: Refusal },
    /// What the provider says of a record that was deleted.
    Delete { refusal: Refusal },
}

/// A status, and the provider's message.
pub(super) type Refusal = (u16, &'static str);

impl Resource {
    fn new(name: &'static str, collection: &'static str, id: &'static str) -> Self {
        Self { name, collection, id, query: Vec::new(), request: json!({}), methods: Vec::new() }
    }

    fn of(mut self, request: Value, query: &[(&'static str, &str)]) -> Self {
        self.request = request;
        self.query = query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self
    }

    fn list(mut self, pages: &[usize], limit: Option<(usize, &[usize])>) -> Self {
        let limit = limit.map(|(limit, pages)| (limit, pages.to_vec()));
        self.methods.push(("list", Expected::List { pages: pages.to_vec(), limit }));
        self
    }

    fn get(mut self, unknown: &'static str, refusal: Refusal) -> Self {
        self.methods.push(("get", Expected::Get { unknown, refusal }));
        self
    }

    fn create(mut self, body: Value, id: &'static str, incomplete: Value, refusal: Refusal) -> Self {
        self.methods.push(("create", Expected::Create { body, id, incomplete, refusal }));
        self
    }

    fn parts(mut self) -> Self {
        self.methods.push(("list", Expected::Parts));
        self
    }

    fn update(mut self, body: Value, unknown: &'static str, refusal: Refusal) -> Self {
        self.methods.push(("update", Expected::Update { body, unknown, refusal }));
        self
    }

    fn delete(mut self, refusal: Refusal) -> Self {
        self.methods.push(("delete", Expected::Delete { refusal }));
        self
    }

    pub(super) fn method(&self, name: &str) -> Option<&Expected> {
        self.methods.iter().find(|(method, _)| *method == name).map(|(_, expected)| expected)
    }
}

/// The rows of an integration.
pub(super) fn of(twin: &Twin) -> Result<Vec<Resource>> {
    Ok(match twin.name {
        "github" => github(),
        "google" => google(),
        "microsoft" => microsoft(),
        "slack" => slack(),
        "notion" => notion(twin)?,
        "hubspot" => hubspot(),
        "jira" => jira(),
        "salesforce" => salesforce(),
        other => bail!("{other} has no rows"),
    })
}

fn github() -> Vec<Resource> {
    let repository = &[("owner", "ada-twin"), ("repo", "project-1")];
    let issue = &[repository[0], repository[1], ("issue_number", "2")];
    vec![
        Resource::new("repositories", "repos", "/name")
            .of(json!({}), &[("owner", "ada-twin")])
            .list(&[30, 15], Some((20, &[20, 20, 5])))
            .get("nothing", (404, "Not Found")),
        Resource::new("issues", "issues", "/number")
            .of(
                json!({ "path": { "owner": "ada-twin", "repo": "project-1" } }),
                &[repository[0], repository[1], ("state", "all")],
            )
            .list(&[30, 12], Some((20, &[20, 20, 2])))
            .get("9999", (404, "Not Found"))
            .create(
                json!({ "title": "Made through Relink", "body": "What happened." }),
                "/number",
                json!({}),
                (422, "Validation Failed"),
            )
            .update(json!({ "title": "Changed through Relink" }), "9999", (404, "Not Found")),
        Resource::new("issue_search", "issues", "/number")
            .of(
                json!({ "path": { "owner": "ada-twin", "repo": "project-1" } }),
                &[("q", "repo:ada-twin/project-1 is:issue")],
            )
            .list(&[30, 13], Some((20, &[20, 20, 3]))),
        Resource::new("issue_comments", "comments", "/id")
            .of(json!({ "path": { "owner": "ada-twin", "repo": "project-1", "number": "2" } }), issue)
            .list(&[3], Some((2, &[2, 1])))
            .get("1", (404, "Not Found"))
            .create(json!({ "body": "Seen through Relink." }), "/id", json!({}), (422, "Validation Failed"))
            .update(json!({ "body": "Changed through Relink." }), "1", (404, "Not Found"))
            .delete((404, "Not Found")),
        Resource::new("assignees", "assignees", "/login").of(json!({}), repository).list(&[2], Some((1, &[1, 1]))),
        Resource::new("users", "users", "/login").get("nobody", (404, "Not Found")),
    ]
}

fn google() -> Vec<Resource> {
    let time = |hour: &str| json!({ "dateTime": format!("2026-11-02T{hour}:00:00+01:00") });
    vec![
        Resource::new("calendars", "calendars", "/id").list(&[3], Some((2, &[2, 1]))),
        Resource::new("events", "events", "/id")
            .of(json!({ "path": { "calendar": "primary" } }), &[])
            .list(&[250, 10], Some((100, &[100, 100, 60])))
            .get("nothing", (404, "Not Found"))
            .create(
                json!({ "summary": "Made through Relink", "start": time("14"), "end": time("15") }),
                "/id",
                json!({ "start": time("14") }),
                (400, "Missing end time."),
            ),
        Resource::new("files", "files", "/id")
            .list(&[100, 30], Some((50, &[50, 50, 30])))
            .get("nothing", (404, "Not Found")),
    ]
}

fn microsoft() -> Vec<Resource> {
    let time = |hour: &str| json!({ "dateTime": format!("2026-11-02T{hour}:00:00"), "timeZone": "UTC" });
    let missing = (404, "The specified object was not found in the store.");
    vec![
        Resource::new("messages", "messages", "/id")
            .list(&[10, 10, 10, 5], Some((15, &[15, 15, 5])))
            .get("AAMkNothing=", missing),
        Resource::new("events", "events", "/id")
            .list(&[10, 10, 5], Some((20, &[20, 5])))
            .get("AAMkNothing=", missing)
            .create(
                json!({ "subject": "Made through Relink", "start": time("14"), "end": time("15") }),
                "/id",
                json!({ "subject": "Nothing", "start": time("14") }),
                (400, "At least one property failed validation: end."),
            ),
        Resource::new("files", "files", "/id").list(&[24], Some((7, &[7, 7, 7, 3]))).get("01NOTHING", missing),
    ]
}

fn slack() -> Vec<Resource> {
    let channel = "C0TWIN1";
    vec![
        Resource::new("channels", "channels", "/id")
            .list(&[100, 100, 10], Some((80, &[80, 80, 50])))
            .get("C0NOBODY", (404, "channel_not_found")),
        Resource::new("messages", "messages", "/ts")
            .of(json!({ "query": { "channel": channel } }), &[("channel", channel)])
            .list(&[100, 100, 50], Some((150, &[150, 100])))
            .create(
                json!({ "channel": channel, "text": "Said through Relink" }),
                "/ts",
                json!({ "channel": channel }),
                (400, "no_text"),
            ),
        Resource::new("users", "users", "/id")
            .list(&[100, 20], Some((50, &[50, 50, 20])))
            .get("U0NOBODY", (404, "user_not_found")),
    ]
}

fn notion(twin: &Twin) -> Result<Vec<Resource>> {
    let nobody = "00000000-0000-4000-8000-000000000000";
    let missing = (404, "Could not find the object. Make sure that it is shared with the connection.");
    let pages = twin.records("pages", &json!({}))?;
    let page = pages.first().and_then(|page| page["id"].as_str()).context("no page")?;
    let title = json!({ "title": { "title": [{ "text": { "content": "Made through Relink" } }] } });
    Ok(vec![
        Resource::new("pages", "pages", "/id").list(&[100, 20], Some((50, &[50, 50, 20]))).get(nobody, missing).create(
            json!({ "parent": { "page_id": page }, "properties": title }),
            "/id",
            json!({ "properties": title }),
            (400, "body failed validation: body.parent should be defined."),
        ),
        Resource::new("blocks", "blocks", "/id")
            .of(json!({ "path": { "id": page } }), &[("page_id", page)])
            .list(&[8], Some((3, &[3, 3, 2]))),
        Resource::new("users", "users", "/id").list(&[12], Some((5, &[5, 5, 2]))).get(nobody, missing),
    ])
}

fn hubspot() -> Vec<Resource> {
    let object = |name: &'static str, properties: Value| {
        let changed = json!({ "properties": { "note": "Changed through Relink" } });
        Resource::new(name, name, "/id")
            .list(&[10; 6], Some((25, &[25, 25, 10])))
            .get("1", (404, "resource not found"))
            .create(
                json!({ "properties": properties }),
                "/id",
                json!({}),
                (400, "Invalid input JSON: properties is missing."),
            )
            .update(changed, "1", (404, "resource not found"))
            .delete((404, "resource not found"))
    };
    let search = |name: &'static str, collection: &'static str| {
        Resource::new(name, collection, "/id").list(&[10; 6], Some((25, &[25, 25, 10])))
    };
    vec![
        object("contacts", json!({ "firstname": "Made", "lastname": "Through Relink" })),
        object("companies", json!({ "name": "Made through Relink" })),
        object("deals", json!({ "dealname": "Made through Relink", "amount": "7" })),
        search("contacts_search", "contacts"),
        search("companies_search", "companies"),
        search("deals_search", "deals"),
    ]
}

fn jira() -> Vec<Resource> {
    let missing = (404, "Issue does not exist or you do not have permission to see it.");
    let no_comment = (404, "Can not find a comment for the id: 1.");
    let of_issue = &[("issue_id", "20002")];
    let text = |verb: &str| {
        let text = json!({ "type": "text", "text": format!("{verb} through Relink") });
        json!({ "type": "doc", "version": 1, "content": [{ "type": "paragraph", "content": [text] }] })
    };
    let issue =
        json!({ "project": { "key": "TWIN1" }, "issuetype": { "name": "Task" }, "summary": "Made through Relink" });
    vec![
        Resource::new("sites", "sites", "/id").list(&[1], None),
        Resource::new("projects", "projects", "/key")
            .list(&[50, 10], Some((25, &[25, 25, 10])))
            .get("NOBODY", (404, "No project could be found with key 'NOBODY'.")),
        Resource::new("issues", "issues", "/key")
            // Without a query, a list has what changed in the last 90 days.
            .of(json!({}), &[("jql", "project = TWIN1")])
            .list(&[50, 50, 30], Some((60, &[60, 60, 10])))
            .get("TWIN1-9999", missing)
            .create(
                json!({ "fields": issue }),
                "/key",
                json!({ "fields": { "project": { "key": "TWIN1" }, "issuetype": { "name": "Task" } } }),
                (400, "Specify a valid value for summary"),
            )
            .update(json!({ "fields": { "summary": "Changed through Relink" } }), "TWIN1-9999", missing)
            .delete(missing),
        Resource::new("issue_comments", "comments", "/id")
            .of(json!({ "path": { "id": "20002" } }), of_issue)
            .list(&[3], Some((2, &[2, 1])))
            .get("1", no_comment)
            .create(json!({ "body": text("Made") }), "/id", json!({}), (400, "Specify a valid value for body"))
            .update(json!({ "body": text("Changed") }), "1", no_comment)
            .delete((404, "Can not find a comment for the id: 40004.")),
        Resource::new("attachments", "attachments", "/id")
            .of(json!({}), of_issue)
            .parts()
            .get("1", (404, "The attachment with id '1' does not exist")),
        Resource::new("users", "users", "/accountId")
            .list(&[2], Some((1, &[1, 1, 0])))
            .get("nobody", (404, "Specified user does not exist or you do not have required permissions")),
    ]
}

fn salesforce() -> Vec<Resource> {
    let missing = (404, "Provided external ID field does not exist or is not accessible: nothing");
    let object = |name, collection, body, incomplete, says, change, deleted| {
        Resource::new(name, collection, "/Id")
            .list(&[200, 200, 50], None)
            .get("nothing", missing)
            .create(body, "/id", incomplete, (400, says))
            .update(change, "nothing", missing)
            .delete((404, deleted))
    };
    let deal = json!({ "Name": "Made through Relink", "StageName": "Prospecting", "CloseDate": "2026-12-31" });
    vec![
        object(
            "accounts",
            "Account",
            json!({ "Name": "Made through Relink" }),
            json!({ "Industry": "Energy" }),
            "Required fields are missing: [Name]",
            json!({ "Name": "Changed through Relink" }),
            "Provided external ID field does not exist or is not accessible: 001TW0000010451AAA",
        ),
        object(
            "contacts",
            "Contact",
            json!({ "FirstName": "Made", "LastName": "Through Relink" }),
            json!({ "FirstName": "Made" }),
            "Required fields are missing: [LastName]",
            json!({ "LastName": "Changed through Relink" }),
            "Provided external ID field does not exist or is not accessible: 003TW0000010451AAA",
        ),
        object(
            "opportunities",
            "Opportunity",
            deal,
            json!({ "Name": "Made through Relink", "CloseDate": "2026-12-31" }),
            "Required fields are missing: [StageName]",
            json!({ "Name": "Changed through Relink" }),
            "Provided external ID field does not exist or is not accessible: 006TW0000010451AAA",
        ),
    ]
}
