//! From the engine's links and flows to the contract's.

use relink_contract::connect::{
    FieldSpec, Flow, FlowError, FlowErrorType, FlowOutcome, FlowPhase, FlowStep, IdentityQuestion, LinkPurpose,
    Session, SessionAccount, SessionIntegration, SessionMethod, SessionScope,
};
use relink_engine::connections::{self, FlowView, LinkSession, PhaseName, StepName};

pub(crate) fn session_view(session: LinkSession) -> Session {
    Session {
        purpose: if session.purpose == "reauthorize" { LinkPurpose::Reauthorize } else { LinkPurpose::Connect },
        tenant_id: session.tenant_id,
        account: session.account.map(|account| SessionAccount {
            id: account.id,
            name: account.name,
            identity: account.identity,
        }),
        integrations: session
            .integrations
            .into_iter()
            .map(|integration| SessionIntegration {
                name: integration.name,
                label: integration.label,
                category: integration.category,
                logo: integration.logo,
                color: integration.color,
                methods: integration
                    .methods
                    .into_iter()
                    .map(|method| SessionMethod {
                        format: method.format,
                        host: method.host,
                        scopes: method
                            .scopes
                            .into_iter()
                            .map(|scope| SessionScope { name: scope.name, description: scope.description })
                            .collect(),
                        redirects: method.redirects,
                        fields: method.fields.iter().map(FieldSpec::from).collect(),
                        documentation_link: method.documentation_link,
                        is_tried: method.is_tried,
                        not_ready: method.not_ready,
                    })
                    .collect(),
            })
            .collect(),
        redirects: session.redirects,
        expires_at: session.expires_at,
    }
}

pub(crate) fn flow_view(flow: FlowView) -> Flow {
    let question = |it: connections::Question| IdentityQuestion { expected: it.expected, actual: it.actual };
    Flow {
        id: flow.id,
        version: flow.version,
        integration: flow.integration,
        integration_label: flow.integration_label,
        format: flow.format,
        phase: match flow.phase {
            PhaseName::Waiting => FlowPhase::Waiting,
            PhaseName::Returned => FlowPhase::Returned,
            PhaseName::Working => FlowPhase::Working,
            PhaseName::Question => FlowPhase::Question,
            PhaseName::Succeeded => FlowPhase::Succeeded,
            PhaseName::Failed => FlowPhase::Failed,
        },
        authorize_url: flow.authorize_url,
        redirect: flow.redirect,
        redirect_uri: flow.redirect_uri,
        step: flow.step.map(|step| match step {
            StepName::Exchanging => FlowStep::Exchanging,
            StepName::Checking => FlowStep::Checking,
            StepName::Saving => FlowStep::Saving,
        }),
        question: flow.question.map(question),
        outcome: flow.outcome.map(|outcome| FlowOutcome {
            account: SessionAccount {
                id: outcome.account.id,
                name: outcome.account.name,
                identity: outcome.account.identity,
            },
            reauthorized: outcome.reauthorized,
            kept_old: outcome.kept_old,
            redirect_uri: outcome.redirect_uri,
        }),
        error: flow.error.map(|error| FlowError {
            code: error.code,
            title: error.title,
            message: error.message,
            hint: error.hint,
            error_type: match error.error_type {
                connections::FlowErrorType::ConnectionError => FlowErrorType::ConnectionError,
                connections::FlowErrorType::ValidationError => FlowErrorType::ValidationError,
            },
            field: error.field,
        }),
    }
}
