//! What runs before and after the call.

use relink_calls::{Expressions, is_truthy};
use relink_domain::unified::{Request, Step, StepKind};
use serde_json::Value;

use crate::{
    proxy::Proxy,
    run::{Result, Run},
};

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    /// Runs steps in their order. Their results are below `key`, by their names or their places, and `step` is the last one.
    pub(crate) async fn steps(&mut self, key: &'static str, steps: &[Step]) -> Result<(), P> {
        self.scope.set("step", Value::Null);
        for (at, step) in steps.iter().enumerate() {
            let place = format!("{key}[{at}]");
            if let Some(condition) = &step.run_if {
                let input = self.scope.input();
                let found = self.evaluator.text(&format!("{place}.run_if"), condition, input).await?;
                if !found.as_ref().is_some_and(is_truthy) {
                    continue;
                }
            }
            let name = step.name.as_ref().map_or_else(|| place.clone(), |name| format!("{key}.{name}"));
            let result = self.step(&place, &self.named(name), step).await?;
            let name = step.name.clone().unwrap_or_else(|| at.to_string());
            self.scope.add(key, name, result.clone());
            self.scope.set("step", result);
        }
        Ok(())
    }

    /// A step of a further page is another one.
    pub(crate) fn named(&self, step: String) -> String {
        if self.skipped == 0 { step } else { format!("{step}@{}", self.skipped) }
    }

    async fn step(&self, place: &str, name: &str, step: &Step) -> Result<Value, P> {
        let config = format!("{place}.config");
        match &step.kind {
            StepKind::Request(request) => self.request(&config, name, request, &[]).await,
            StepKind::ComputedRequest(text) => {
                let found = self.evaluator.text(&config, text, self.scope.input()).await?.unwrap_or_default();
                let request = Request::computed(&found).map_err(|error| {
                    self.evaluator.fail(&config, None, format_args!("what it gave is no request: {error}."))
                })?;
                self.request(&config, name, &request, &[]).await
            }
            StepKind::Transform(text) => {
                Ok(self.evaluator.text(&config, text, self.scope.input()).await?.unwrap_or_default())
            }
        }
    }
}
