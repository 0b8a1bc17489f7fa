//! Both ends of channels, in handlers and as commands. The SDK leaves refs in payloads as they are: here they become readers and writers.

use iii_sdk::channel::{ChannelReader, ChannelWriter, StreamChannelRef};
use iii_sdk::errors::Error;
use iii_sdk::helpers::create_channel;
use iii_sdk::protocol::TriggerRequest;
use iii_sdk::{IIIClient, RegisterFunction};
use serde_json::{json, Value};

const PART_BYTES: usize = 100_000;

fn ref_in(data: &Value, key: &str) -> Result<StreamChannelRef, Error> {
    Ok(serde_json::from_value(data[key].clone())?)
}

fn request(command: &Value, payload: Value) -> TriggerRequest {
    TriggerRequest {
        function_id: command["function_id"].as_str().unwrap_or_default().to_string(),
        payload,
        action: None,
        timeout_ms: None,
    }
}

/// Reads the channel `body` to its end: its length, and the sum of its bytes.
pub fn sum(address: String) -> RegisterFunction {
    RegisterFunction::new_async(move |data: Value| {
        let address = address.clone();
        async move {
            let all = ChannelReader::new(&address, &ref_in(&data, "body")?).read_all().await?;
            let sum: u64 = all.iter().map(|byte| u64::from(*byte)).sum();
            Ok(json!({ "bytes": all.len(), "sum": sum }))
        }
    })
}

/// Writes a message and two parts to the channel `response`.
pub fn stream(address: String) -> RegisterFunction {
    RegisterFunction::new_async(move |data: Value| {
        let address = address.clone();
        async move {
            let writer = ChannelWriter::new(&address, &ref_in(&data, "response")?);
            writer.send_message(r#"{"type":"set_status","status_code":202}"#).await?;
            writer.write(b"got ").await?;
            writer.write(b"it").await?;
            writer.close().await?;
            Ok(Value::Null)
        }
    })
}

/// Makes a channel, calls a function with its reader, and writes `bytes` bytes of `fill` to it.
pub async fn pump(worker: &IIIClient, command: &Value) -> Result<Value, Error> {
    let channel = create_channel(worker, None).await?;
    let payload = json!({ "body": channel.reader_ref });
    let caller = worker.clone();
    let call = request(command, payload);
    let answer = tokio::spawn(async move { caller.trigger(call).await });
    let fill = u8::try_from(command["fill"].as_u64().unwrap_or(1)).unwrap_or(1);
    let mut left = usize::try_from(command["bytes"].as_u64().unwrap_or(0)).unwrap_or(0);
    while left > 0 {
        let part = left.min(PART_BYTES);
        channel.writer.write(&vec![fill; part]).await?;
        left -= part;
    }
    channel.writer.close().await?;
    let result = answer.await.map_err(|error| Error::Runtime(error.to_string()))??;
    Ok(json!({ "result": result }))
}

/// Makes a channel, calls a function with its writer, and reads what comes.
pub async fn pull(worker: &IIIClient, command: &Value) -> Result<Value, Error> {
    let channel = create_channel(worker, Some(4)).await?;
    let messages = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let heard = messages.clone();
    channel.reader.on_message(move |message| heard.lock().expect("a lock").push(message)).await;
    let payload = json!({ "response": channel.writer_ref });
    let caller = worker.clone();
    let call = request(command, payload);
    let answer = tokio::spawn(async move { caller.trigger(call).await });
    let all = channel.reader.read_all().await?;
    answer.await.map_err(|error| Error::Runtime(error.to_string()))??;
    let messages = messages.lock().expect("a lock").clone();
    Ok(json!({ "messages": messages, "text": String::from_utf8_lossy(&all) }))
}
