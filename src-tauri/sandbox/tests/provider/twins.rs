//! What each twin does as its provider documents it.

mod github;
mod google;
mod hubspot;
mod jira;
mod microsoft;
mod notion;
mod salesforce;
mod slack;
