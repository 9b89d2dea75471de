//! End-to-end tests with real components.

mod attacks;
mod authlib;
mod call_command;
mod calls;
mod command_line;
mod curated;
mod desktop;
mod embedding;
mod eval;
mod exit_codes;
mod follow_commands;
mod guide_mapping;
mod harness;
mod harness_components;
mod harness_oidc;
mod lifecycle;
mod lifecycle_methods;
mod link_sdk;
mod outages;
mod python_sdk;
mod rapid_form;
mod sdks;
mod secrets;
mod secrets_desktop;
mod serving;
mod webhook_verifiers;
