//! The connect UI's types as TypeScript.

use std::{env, fs, path::Path};

use relink_domain::{account::AuthenticationMethod, integration::RedirectKind};
use ts_rs::{Config, TS};

use crate::connect::{
    CreatedFlow, FieldOption, FieldSpec, FieldType, Flow, FlowError, FlowErrorType, FlowOutcome, FlowPhase, FlowStep,
    IdentityAnswer, IdentityChoice, IdentityQuestion, LinkPurpose, NewFlow, Nonce, PageToken, PastedCallback,
    Requester, ReturnedSignIn, Session, SessionAccount, SessionIntegration, SessionMethod, SessionScope,
};
use crate::form::{
    FilledForm, FormField, FormFieldType, FormOption, FormOptions, FormProblem, FormSession, OptionsRequest,
    SubmittedForm,
};

/// The content of `ui/connect/types.ts`.
fn connect_types() -> String {
    let config = Config::default();
    let mut text = String::from(
        "// Generated from src-tauri/contract/src/connect.rs and form.rs by `make types`: don't edit. A test proves that it is current.\n",
    );
    macro_rules! declare {
        ($($name:ident),+ $(,)?) => {$(
            text.push('\n');
            text.push_str(&$name::docs().unwrap_or_default());
            text.push_str("export ");
            text.push_str(&$name::decl(&config));
            text.push('\n');
        )+};
    }
    declare!(
        AuthenticationMethod,
        RedirectKind,
        Nonce,
        PageToken,
        Session,
        LinkPurpose,
        Requester,
        SessionAccount,
        SessionIntegration,
        SessionMethod,
        SessionScope,
        FieldSpec,
        FieldType,
        FieldOption,
        NewFlow,
        Flow,
        CreatedFlow,
        FlowPhase,
        FlowStep,
        IdentityQuestion,
        IdentityChoice,
        IdentityAnswer,
        PastedCallback,
        FlowOutcome,
        FlowError,
        FlowErrorType,
        ReturnedSignIn,
        FormSession,
        FormField,
        FormFieldType,
        FormOption,
        OptionsRequest,
        FormOptions,
        FilledForm,
        SubmittedForm,
        FormProblem,
    );
    text
}

#[test]
fn the_connect_uis_types_are_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/connect/types.ts");
    let text = connect_types();
    // `make types`
    if env::var_os("RELINK_WRITE_TYPES").is_some() {
        fs::write(&file, &text).expect("written");
    }
    let kept = fs::read_to_string(&file).expect("ui/connect/types.ts is there");
    assert!(kept == text, "ui/connect/types.ts is out of date: run make types");
}
