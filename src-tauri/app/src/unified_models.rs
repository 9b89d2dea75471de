//! Unified models, as the window shows them.

use std::collections::BTreeMap;

use relink_contract::window::{MappableIntegration, MappedMethod, SchemaField, UnifiedModel, UnifiedResource};
use relink_domain::{
    caller::Caller,
    unified::{self, ModelResource, UnifiedMethod, label_of, merged},
};
use relink_engine::{
    AccountView, CatalogEntry, Filter, InstalledModel, MappingLayer, MappingOwner, MappingRow, StoredModel,
};

use crate::{App, Result, error_view};

/// What models are shown with.
struct Shown {
    installed: Vec<InstalledModel>,
    rows: Vec<MappingRow>,
    catalog: Vec<CatalogEntry>,
    accounts: Vec<AccountView>,
}

impl App {
    pub async fn unified_models(&self) -> Result<Vec<UnifiedModel>> {
        let engine = &self.0.engine;
        let models = engine.unified_models();
        let mut rows = models.mappings(&Caller::Person, MappingLayer::Base).await.map_err(error_view)?;
        rows.extend(models.mappings(&Caller::Person, MappingLayer::Environment).await.map_err(error_view)?);
        let shown = Shown {
            installed: models.installed(&Caller::Person).await.map_err(error_view)?,
            rows,
            catalog: engine.catalog().list(&Caller::Person).await.map_err(error_view)?,
            accounts: engine.accounts().list(&Caller::Person, Filter::default()).await.map_err(error_view)?,
        };
        let all = models.models(&Caller::Person).await.map_err(error_view)?;
        Ok(all.into_iter().map(|model| shown.model(model)).collect())
    }

    pub async fn install_unified_model(&self, name: String) -> Result<()> {
        let models = self.0.engine.unified_models();
        let model = models.model_named(&Caller::Person, &name).await.map_err(error_view)?;
        models.install(&Caller::Person, model.id, None).await.map(drop).map_err(error_view)
    }

    pub async fn uninstall_unified_model(&self, name: String) -> Result<()> {
        let models = self.0.engine.unified_models();
        let installed = models.installed(&Caller::Person).await.map_err(error_view)?;
        match installed.into_iter().find(|it| it.model.name == name) {
            Some(installed) => models.uninstall(&Caller::Person, installed.id).await.map_err(error_view),
            None => Ok(()),
        }
    }
}

impl Shown {
    fn model(&self, model: StoredModel) -> UnifiedModel {
        let installed = self.installed.iter().find(|it| it.model.id == model.id);
        let document = merged([Some(&model.document), installed.map(|it| &it.r#override)]).unwrap_or_default();
        let document = unified::UnifiedModel::load(&document);
        let is_own = |owner: MappingOwner| match owner {
            MappingOwner::Base(id) => id == model.id,
            MappingOwner::Environment(id) => installed.is_some_and(|it| it.id == id),
        };
        let rows: Vec<_> = self.rows.iter().filter(|row| is_own(row.owner)).collect();
        let resources = document.resources.into_iter().map(|(name, resource)| {
            let mappings = self.mappings(&model.name, &name, &rows);
            UnifiedResource { mappings, ..resource_view(name, resource) }
        });
        let resources: Vec<_> = resources.collect();
        UnifiedModel {
            label: label_of(&model.name),
            category: document.category,
            description: document.description,
            built_in: model.built_in,
            installed: installed.is_some(),
            integrations: self.integrations(&resources),
            resources,
            name: model.name,
        }
    }

    /// The mapped methods of a resource, by integration and method.
    fn mappings(&self, model: &str, resource: &str, rows: &[&MappingRow]) -> Vec<MappedMethod> {
        let mut found: BTreeMap<(String, String), MappedMethod> = BTreeMap::new();
        let mut at = |integration: &str, method: &str, mark: &dyn Fn(&mut MappedMethod)| {
            let [integration, method] = [integration, method].map(str::to_owned);
            let slot = found.entry((integration.clone(), method.clone()));
            let (has_base, is_overridden, accounts) = (false, false, Vec::new());
            mark(slot.or_insert(MappedMethod { integration, method, has_base, is_overridden, accounts }));
        };
        for row in rows.iter().filter(|row| row.of.resource_name == resource) {
            at(&row.of.integration_name, &row.of.method_name, &|it| match row.owner {
                MappingOwner::Base(_) => it.has_base = true,
                MappingOwner::Environment(_) => it.is_overridden = true,
            });
        }
        for AccountView { account, .. } in &self.accounts {
            let over = account.profile.settings.unified_model_override.get(model).and_then(|it| it.get(resource));
            let methods = over.and_then(serde_json::Value::as_object);
            for method in methods.into_iter().flat_map(serde_json::Map::keys) {
                at(&account.profile.integration, method, &|it| it.accounts.push(account.profile.name.clone()));
            }
        }
        found.into_values().collect()
    }

    fn integrations(&self, resources: &[UnifiedResource]) -> Vec<MappableIntegration> {
        let known = self.catalog.iter().map(|entry| MappableIntegration {
            name: entry.integration.name.clone(),
            label: entry.label(),
            color: entry.color(),
        });
        let mut found: Vec<_> = known.collect();
        for mapping in resources.iter().flat_map(|resource| &resource.mappings) {
            if found.iter().all(|it| it.name != mapping.integration) {
                let name = mapping.integration.clone();
                found.push(MappableIntegration { label: name.clone(), name, color: None });
            }
        }
        found.sort_by_key(|it| it.label.to_lowercase());
        found
    }
}

fn resource_view(name: String, resource: ModelResource) -> UnifiedResource {
    let ModelResource { schema, description, methods } = resource;
    let fields = schema.as_ref().map(unified::fields).unwrap_or_default();
    let field = |it: unified::SchemaField| {
        let unified::SchemaField { name, depth, kind, is_required, description, values } = it;
        SchemaField { name, depth, kind, is_required, description, values }
    };
    let fields = fields.into_iter().map(field).collect();
    UnifiedResource { name, description, methods, fields, mappings: Vec::new() }
}

/// The method of a mapping.
pub(crate) fn method_of(of: &relink_contract::window::MappingRef) -> UnifiedMethod<'_> {
    UnifiedMethod { model: &of.model, resource: &of.resource, method: &of.method }
}
