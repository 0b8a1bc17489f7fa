//! A provider of a trigger type, and triggers of it.

use async_trait::async_trait;
use iii_sdk::errors::Error;
use iii_sdk::protocol::RegisterTriggerInput;
use iii_sdk::trigger::{Trigger, TriggerConfig, TriggerHandler};
use iii_sdk::{IIIClient, RegisterTriggerType};
use serde_json::{json, Value};

use crate::{say, text};

/// Tells of every trigger and its end; refuses the path "taken".
struct Provider;

#[async_trait]
impl TriggerHandler for Provider {
    async fn register_trigger(&self, trigger: TriggerConfig) -> Result<(), Error> {
        if trigger.config["path"] == "taken" {
            return Err(Error::Handler("path conflict: taken".to_string()));
        }
        let TriggerConfig { id, function_id, config, metadata, .. } = trigger;
        let bound = json!({ "id": id, "function_id": function_id, "config": config, "metadata": metadata });
        say(&format!("bound {bound}"));
        Ok(())
    }

    async fn unregister_trigger(&self, trigger: TriggerConfig) -> Result<(), Error> {
        say(&format!("unbound {}", trigger.id));
        Ok(())
    }
}

pub fn provide(worker: &IIIClient, id: &str) -> Value {
    worker.register_trigger_type(RegisterTriggerType::new(id, "of a Rust worker", Provider));
    Value::Null
}

pub fn bind(worker: &IIIClient, command: &Value) -> Result<Trigger, Error> {
    let mut input = RegisterTriggerInput::new(
        text(command, "type"),
        text(command, "function_id"),
        command["config"].clone(),
    );
    if !command["metadata"].is_null() {
        input = input.with_metadata(command["metadata"].clone());
    }
    worker.register_trigger(input)
}
