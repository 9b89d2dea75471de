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
            let result = self.step(&place, step).await?;
            let name = step.name.clone().unwrap_or_else(|| at.to_string());
            self.scope.add(key, name, result.clone());
            self.scope.set("step", result);
        }
        Ok(())
    }

    async fn step(&self, place: &str, step: &Step) -> Result<Value, P> {
        let config = format!("{place}.config");
        match &step.kind {
            StepKind::Request(request) => self.request(&config, request, &[]).await,
            StepKind::ComputedRequest(text) => {
                let found = self.evaluator.text(&config, text, self.scope.input()).await?.unwrap_or_default();
                let request = Request::computed(&found).map_err(|error| {
                    self.evaluator.fail(&config, None, format_args!("what it gave is no request: {error}."))
                })?;
                self.request(&config, &request, &[]).await
            }
            StepKind::Transform(text) => {
                Ok(self.evaluator.text(&config, text, self.scope.input()).await?.unwrap_or_default())
            }
        }
    }
}
