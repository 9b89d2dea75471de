//! The public view of a flow. It contains no secrets.

use relink_contract::connect::{self, FlowPhase};

use super::flow::{Flow, Phase};
use crate::sync::lock;

impl Flow {
    pub(super) fn view(&self) -> connect::Flow {
        let phase = lock(&self.phase);
        let mut view = connect::Flow {
            id: self.id,
            version: *self.version.borrow(),
            integration: self.provider.name().to_owned(),
            integration_label: self.provider.label().to_owned(),
            format: self.format,
            phase: FlowPhase::Waiting,
            needs_return_key: self.needs_return_key,
            authorize_url: None,
            redirect: None,
            redirect_uri: None,
            step: None,
            question: None,
            outcome: None,
            error: None,
        };
        match &*phase {
            Phase::Waiting(request) => {
                view.authorize_url = Some(request.authorize_url.clone());
                view.redirect = Some(request.redirect);
                view.redirect_uri = Some(request.redirect_uri.clone());
            }
            Phase::Returned { request, .. } => {
                view.phase = FlowPhase::Returned;
                view.redirect = Some(request.redirect);
            }
            Phase::Working(step) => {
                view.phase = FlowPhase::Working;
                view.step = Some(*step);
            }
            Phase::Asking { question, .. } => {
                view.phase = FlowPhase::Question;
                view.question = Some(question.clone());
            }
            Phase::Succeeded(outcome) => {
                view.phase = FlowPhase::Succeeded;
                view.outcome = Some(outcome.clone());
            }
            Phase::Failed(error) => {
                view.phase = FlowPhase::Failed;
                let error_type = error.error_type(self.account_to_reauthorize());
                view.error = Some(connect::FlowError { error_type, ..error.shown.clone() });
            }
        }
        view
    }
}
