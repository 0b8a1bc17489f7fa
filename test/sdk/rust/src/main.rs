//! A worker of the official Rust SDK for rust.test.ts: functions that answer, fail and hang, and commands on standard input.
//!
//! Writes what happens to standard output, a line each; worker-program.ts tells the commands and the lines, which the
//! workers of the other languages share. Where the engine is, its name and its namespace stand in the environment.

#![allow(deprecated)] // the newest version renamed what the older ones have

#[cfg(feature = "0.23.0")]
extern crate sdk_0_23 as iii_sdk;
#[cfg(feature = "0.25.0")]
extern crate sdk_0_25 as iii_sdk;
#[cfg(feature = "0.26.0-rc.4")]
extern crate sdk_0_26 as iii_sdk;

mod channels;
#[cfg(feature = "triggers")]
mod triggers;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use iii_sdk::errors::Error;
use iii_sdk::protocol::{TriggerAction, TriggerRequest, TriggerRequestWithMetadata};
use iii_sdk::runtime::WorkerMetadata;
use iii_sdk::{register_worker, IIIClient, InitOptions, RegisterFunction};
use serde_json::{json, Value};

const REGISTERED_WITHIN: Duration = Duration::from_secs(60);
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// One write a line, whichever thread says it.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_string()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let worker = register_worker(&iii_sdk::engine_url_from_env(), options());
    serve(&worker);
    let watched = worker.clone();
    runtime.spawn(async move { tell_state(&watched).await });
    let mut commands = Commands::new(worker.clone());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let command: Value = serde_json::from_str(&line).expect("a command");
        say(&format!("answer {}", runtime.block_on(commands.run(command))));
    }
    worker.shutdown();
    say("shut down");
}

fn options() -> InitOptions {
    let metadata = WorkerMetadata {
        description: Some("a Rust worker".to_string()),
        ..WorkerMetadata::default()
    };
    let bearer = |token| HashMap::from([("Authorization".to_string(), format!("Bearer {token}"))]);
    InitOptions {
        metadata: Some(metadata),
        headers: variable("TOKEN").map(bearer),
        ..InitOptions::default()
    }
}

/// That it is connected, and that the engine will not have it, which the SDK keeps to itself until asked.
async fn tell_state(worker: &IIIClient) {
    if worker.wait_until_registered(REGISTERED_WITHIN).await.is_ok() {
        say("state connected");
    }
    loop {
        if let Some(Error::RegistrationRejected { code, .. }) = worker.fatal_error() {
            return say(&format!("rejected {code}"));
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

fn serve(worker: &IIIClient) {
    let prefix = variable("PREFIX").unwrap_or("rs".to_string());
    let offer = |name: &str, function: RegisterFunction| {
        let described = function.description(format!("{name} of a Rust worker"));
        worker.register_function(format!("{prefix}::{name}"), described);
    };
    offer("echo", echo());
    offer("fails", RegisterFunction::new(|_: Value| Err::<Value, _>(Error::Handler("no such order".to_string()))));
    offer("nothing", RegisterFunction::new(|_: Value| Ok(Value::Null)));
    offer("metadata", RegisterFunction::new(|_: Value, metadata: Option<Value>| Ok(metadata.unwrap_or_default())));
    offer("hang", RegisterFunction::new_async(|_: Value| async {
        say("hanging");
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(Value::Null)
    }));
    offer("event", RegisterFunction::new(|event: Value| {
        say(&format!("event {event}"));
        Ok(Value::Null)
    }));
    let address = worker.address().to_string();
    offer("sum", channels::sum(address.clone()));
    offer("stream", channels::stream(address));
    let caller = worker.clone();
    offer("call", RegisterFunction::new_async(move |request: Value| {
        let caller = caller.clone();
        async move { Ok(call(&caller, request).await) }
    }));
}

fn echo() -> RegisterFunction {
    RegisterFunction::new(|data: Value| Ok(data))
}

/// Calls what the test wants called; tells how it ended.
async fn call(worker: &IIIClient, request: Value) -> Value {
    match worker.trigger(request_of(&request)).await {
        Ok(result) => json!({ "result": result }),
        Err(error) => ended(error),
    }
}

fn request_of(request: &Value) -> TriggerRequestWithMetadata {
    let call = TriggerRequest {
        function_id: text(request, "function_id"),
        payload: request["payload"].clone(),
        action: (request["void"] == true).then_some(TriggerAction::Void),
        timeout_ms: request["timeout_ms"].as_u64(),
    };
    match request["namespace"].as_str() {
        Some(namespace) => call.namespace(namespace),
        None => call.into(),
    }
}

fn ended(error: Error) -> Value {
    let code = match &error {
        Error::Remote { code, .. } => code.as_str(),
        Error::Timeout => "TIMEOUT",
        _ => "OTHER",
    };
    json!({ "code": code, "text": error.to_string() })
}

/// What standard input may ask for.
struct Commands {
    worker: IIIClient,
    #[cfg(feature = "triggers")]
    bound: Vec<iii_sdk::trigger::Trigger>,
    offered: HashMap<String, iii_sdk::runtime::FunctionRef>,
}

impl Commands {
    fn new(worker: IIIClient) -> Self {
        Self {
            worker,
            #[cfg(feature = "triggers")]
            bound: Vec::new(),
            offered: HashMap::new(),
        }
    }

    async fn run(&mut self, command: Value) -> Value {
        match command["do"].as_str().unwrap_or_default() {
            "call" => call(&self.worker, command).await,
            "offer" => self.offer(&text(&command, "id")),
            "offer_http" => self.offer_http(&command),
            "withdraw" => self.withdraw(&text(&command, "id")),
            "pump" => channels::pump(&self.worker, &command).await.unwrap_or_else(ended),
            "pull" => channels::pull(&self.worker, &command).await.unwrap_or_else(ended),
            #[cfg(feature = "triggers")]
            "provide" => triggers::provide(&self.worker, &text(&command, "type")),
            #[cfg(feature = "triggers")]
            "bind" => self.bind(&command),
            #[cfg(feature = "triggers")]
            "unbind" => self.unbind(),
            #[cfg(feature = "observers")]
            "observe" => self.observe(&command).await.map_or_else(ended, |()| Value::Null),
            other => json!({ "unknown": other }),
        }
    }

    #[cfg(feature = "observers")]
    async fn observe(&self, command: &Value) -> Result<(), Error> {
        let source = iii_sdk::Source::function(text(command, "source"));
        self.worker.observe(source, text(command, "target").as_str()).ready().await
    }

    fn offer(&mut self, id: &str) -> Value {
        let function = self.worker.register_function(id, echo());
        self.offered.insert(id.to_string(), function);
        Value::Null
    }

    fn offer_http(&mut self, command: &Value) -> Value {
        let invocation = serde_json::from_value(json!({ "url": command["url"] })).expect("an invocation");
        let id = text(command, "id");
        let function = self.worker.register_function(&id, RegisterFunction::http(invocation));
        self.offered.insert(id, function);
        Value::Null
    }

    fn withdraw(&mut self, id: &str) -> Value {
        if let Some(function) = self.offered.remove(id) {
            function.unregister();
        }
        Value::Null
    }

    #[cfg(feature = "triggers")]
    fn bind(&mut self, command: &Value) -> Value {
        match triggers::bind(&self.worker, command) {
            Ok(trigger) => self.bound.push(trigger),
            Err(error) => return ended(error),
        }
        Value::Null
    }

    /// Takes back the trigger bound first of those that are left.
    #[cfg(feature = "triggers")]
    fn unbind(&mut self) -> Value {
        if !self.bound.is_empty() {
            self.bound.remove(0).unregister();
        }
        Value::Null
    }
}
