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
            ),
        Resource::new("issue_comments", "comments", "/id")
            .of(json!({ "path": { "owner": "ada-twin", "repo": "project-1", "number": "2" } }), issue)
            .list(&[3], Some((2, &[2, 1])))
            .create(json!({ "body": "Seen through Relink." }), "/id", json!({}), (422, "Validation Failed")),
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
        Resource::new(name, name, "/id")
            .list(&[10; 6], Some((25, &[25, 25, 10])))
            .get("1", (404, "resource not found"))
            .create(
                json!({ "properties": properties }),
                "/id",
                json!({}),
                (400, "Invalid input JSON: properties is missing."),
            )
    };
    vec![
        object("contacts", json!({ "firstname": "Made", "lastname": "Through Relink" })),
        object("companies", json!({ "name": "Made through Relink" })),
        object("deals", json!({ "dealname": "Made through Relink", "amount": "7" })),
    ]
}

fn jira() -> Vec<Resource> {
    let issue =
        json!({ "project": { "key": "TWIN1" }, "issuetype": { "name": "Task" }, "summary": "Made through Relink" });
    vec![
        Resource::new("sites", "sites", "/id").list(&[1], None),
        Resource::new("projects", "projects", "/key")
            .list(&[50, 10], Some((25, &[25, 25, 10])))
            .get("NOBODY", (404, "No project could be found with key 'NOBODY'.")),
        Resource::new("issues", "issues", "/key")
            .list(&[50, 50, 30], Some((60, &[60, 60, 10])))
            .get("TWIN1-9999", (404, "Issue does not exist or you do not have permission to see it."))
            .create(
                json!({ "fields": issue }),
                "/key",
                json!({ "fields": { "project": { "key": "TWIN1" }, "issuetype": { "name": "Task" } } }),
                (400, "Specify a valid value for summary"),
            ),
    ]
}

fn salesforce() -> Vec<Resource> {
    let missing = (404, "Provided external ID field does not exist or is not accessible: nothing");
    let object = |name, collection, body, incomplete, says| {
        Resource::new(name, collection, "/Id").list(&[200, 200, 50], None).get("nothing", missing).create(
            body,
            "/id",
            incomplete,
            (400, says),
        )
    };
    let deal = json!({ "Name": "Made through Relink", "StageName": "Prospecting", "CloseDate": "2026-12-31" });
    vec![
        object(
            "accounts",
            "Account",
            json!({ "Name": "Made through Relink" }),
            json!({ "Industry": "Energy" }),
            "Required fields are missing: [Name]",
        ),
        object(
            "contacts",
            "Contact",
            json!({ "FirstName": "Made", "LastName": "Through Relink" }),
            json!({ "FirstName": "Made" }),
            "Required fields are missing: [LastName]",
        ),
        object(
            "opportunities",
            "Opportunity",
            deal,
            json!({ "Name": "Made through Relink", "CloseDate": "2026-12-31" }),
            "Required fields are missing: [StageName]",
        ),
    ]
}
