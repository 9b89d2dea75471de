//! What is asked of each resource of a unified model, and what is written.

use anyhow::{Result, bail};
use serde_json::{Value, json};

pub(super) struct Case {
    pub(super) resource: &'static str,
    /// What a list needs.
    pub(super) query: Value,
    /// What a call for one record needs beside its ID.
    pub(super) of: Value,
    /// The times that a list can be bounded by.
    pub(super) times: &'static [&'static str],
    /// How many records a list may give beside those within its bounds.
    pub(super) inexact: usize,
    /// Conditions with their value, and what of a record must be equal to it.
    pub(super) filters: Vec<(&'static str, Value, &'static str)>,
    /// A new record, and a change of it.
    pub(super) writes: Option<(Value, Value)>,
    /// The ID of a record that isn't there, and the message that the mapping makes of what the provider says.
    pub(super) refused: Option<(&'static str, &'static str)>,
    /// What of that the provider doesn't give back as it was written.
    forgets: &'static [&'static str],
}

impl Case {
    fn new(resource: &'static str, query: Value) -> Self {
        Self {
            resource,
            of: json!({}),
            query,
            times: &[],
            inexact: 0,
            filters: Vec::new(),
            writes: None,
            refused: None,
            forgets: &[],
        }
    }

    fn of(self, of: Value) -> Self {
        Self { of, ..self }
    }

    fn times(self, times: &'static [&'static str]) -> Self {
        Self { times, ..self }
    }

    fn by_the_minute(self) -> Self {
        Self { inexact: 1, ..self }
    }

    fn filter(mut self, condition: &'static str, value: Value, path: &'static str) -> Self {
        self.filters.push((condition, value, path));
        self
    }

    fn writes(self, new: Value, change: Value) -> Self {
        Self { writes: Some((new, change)), ..self }
    }

    fn refused(self, missing: &'static str, says: &'static str) -> Self {
        Self { refused: Some((missing, says)), ..self }
    }

    fn forgets(self, forgets: &'static [&'static str]) -> Self {
        Self { forgets, ..self }
    }

    /// What a record must have after this was written.
    pub(super) fn written(&self, body: &Value) -> Value {
        let kept = body.as_object().into_iter().flatten().filter(|(name, _)| !self.forgets.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
    }
}

pub(super) fn of(model: &str, integration: &str) -> Result<Vec<Case>> {
    Ok(match (model, integration) {
        ("ticketing", "github") => github(),
        ("ticketing", "jira") => jira(),
        ("ticketing", "sandbox") => tickets_of_the_sandbox(),
        ("crm", "hubspot") => hubspot(),
        ("crm", "salesforce") => salesforce(),
        ("crm", "sandbox") => crm_of_the_sandbox(),
        _ => bail!("{model} of {integration} has no cases"),
    })
}

const BOTH: &[&str] = &["created_at", "updated_at"];

fn github() -> Vec<Case> {
    let repository = json!({ "id": "ada-twin/project-1" });
    let ticket = json!({ "id": "ada-twin/project-1/2" });
    vec![
        Case::new("tickets", json!({ "collection": repository, "limit": 100 }))
            .times(BOTH)
            .filter("status", json!("closed"), "status")
            .filter("assignee", json!({ "id": "ada-twin" }), "assignees")
            .writes(
                json!({ "collection": repository, "name": "Made through Relink", "description": "It *works*.", "assignees": [{ "id": "ada-twin" }] }),
                json!({ "name": "Changed through Relink", "status": "closed" }),
            )
            .refused("ada-twin/project-1/999999", "Not Found"),
        Case::new("users", json!({ "collection": repository })),
        Case::new("comments", json!({ "ticket": ticket }))
            .writes(json!({ "ticket": ticket, "body": "Said through Relink" }), json!({ "body": "Changed" })),
    ]
}

fn jira() -> Vec<Case> {
    let ada = json!({ "id": "712020:aaaaaaaa-0000-4000-8000-000000001815" });
    let ticket = json!({ "id": "20002" });
    let of_ticket = json!({ "ticket": ticket });
    vec![
        Case::new("tickets", json!({ "limit": 100 }))
            .times(BOTH)
            .by_the_minute()
            .filter("status", json!("in_progress"), "status")
            .filter("assignee", ada.clone(), "assignees")
            .filter("collection", json!({ "id": "TWIN1" }), "collection")
            .writes(
                json!({ "collection": { "id": "TWIN1" }, "name": "Made through Relink", "description": "It works.", "priority": "urgent", "ticket_type": "Bug", "assignees": [ada] }),
                json!({ "name": "Changed through Relink", "priority": "low" }),
            ),
        Case::new("users", json!({})),
        Case::new("comments", of_ticket.clone())
            .of(of_ticket.clone())
            .writes(json!({ "ticket": ticket, "body": "Said through Relink" }), json!({ "body": "Changed" })),
        Case::new("attachments", of_ticket.clone()).of(of_ticket),
    ]
}

fn tickets_of_the_sandbox() -> Vec<Case> {
    let ticket = json!({ "id": "1002" });
    vec![
        Case::new("tickets", json!({ "limit": 100 }))
            .times(BOTH)
            .filter("status", json!("in_progress"), "status")
            .filter("assignee", json!({ "id": "2" }), "assignees")
            .writes(
                json!({ "name": "Made through Relink", "description": "It works.", "priority": "urgent", "tags": ["new"], "assignees": [{ "id": "1" }] }),
                json!({ "name": "Changed through Relink", "status": "closed" }),
            ),
        Case::new("users", json!({})).times(BOTH),
        Case::new("comments", json!({}))
            .times(BOTH)
            .filter("ticket", ticket.clone(), "ticket")
            .writes(json!({ "ticket": ticket, "body": "Said through Relink" }), json!({ "body": "Changed" })),
        Case::new("attachments", json!({})).times(&["created_at"]).filter("ticket", ticket, "ticket"),
    ]
}

fn contact(company: &str) -> (Value, Value) {
    let new = json!({
        "first_name": "Made", "last_name": "Through Relink", "email": "new@example.com", "phone": "+49 1", "title": "Engineer",
        "company": { "id": company },
    });
    (new, json!({ "last_name": "O'Changed" }))
}

fn company() -> (Value, Value) {
    let new = json!({ "name": "Made through Relink", "website": "https://new.example", "number_of_employees": 7 });
    (new, json!({ "name": "Changed through Relink", "phone": "+49 2" }))
}

fn deal(company: &str, stage: &str) -> (Value, Value) {
    let new = json!({
        "name": "Made through Relink", "amount": 700, "stage": stage, "closes_at": "2027-01-31T00:00:00.000Z", "company": { "id": company },
    });
    (new, json!({ "amount": 800.5 }))
}

fn crm(companies: &str, stage: &str, at: Value) -> [Case; 3] {
    let (contact, company, deal) = (contact(companies), company(), deal(companies, stage));
    [
        Case::new("contacts", at.clone())
            .times(BOTH)
            .filter("company", json!({ "id": companies }), "company")
            .filter("email", json!("contact7@example.com"), "email")
            .writes(contact.0, contact.1),
        Case::new("companies", at.clone()).times(BOTH).writes(company.0, company.1),
        Case::new("deals", at).times(BOTH).filter("status", json!("won"), "status").writes(deal.0, deal.1),
    ]
}

fn hubspot() -> Vec<Case> {
    // The twin keeps the associations that it has, and gives new records none of their own.
    let [contacts, companies, deals] = crm("50102", "appointmentscheduled", json!({ "limit": 100 }));
    vec![contacts.forgets(&["company"]), companies, deals.forgets(&["company"])]
}

fn salesforce() -> Vec<Case> {
    let [contacts, companies, deals] = crm("001TW0000010002AAA", "Prospecting", json!({}));
    vec![
        contacts.refused(
            "003TW0000099999AAA",
            "Provided external ID field does not exist or is not accessible: 003TW0000099999AAA",
        ),
        companies.refused(
            "001TW0000099999AAA",
            "Provided external ID field does not exist or is not accessible: 001TW0000099999AAA",
        ),
        deals.refused(
            "006TW0000099999AAA",
            "Provided external ID field does not exist or is not accessible: 006TW0000099999AAA",
        ),
    ]
}

fn crm_of_the_sandbox() -> Vec<Case> {
    crm("2001", "new", json!({ "limit": 100 })).into()
}
