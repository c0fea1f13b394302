//! A body as it travelled, made a batch again.

use async_compression::{
    tokio::bufread::{GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use axum::http::{HeaderMap, header};
use hadir_shared::wire::{
    OLDEST_PROTO, PROTO,
    batch::{Batch, MAX_BATCH_BYTES, Refusal},
    speaks,
};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::{attendance::fleet::Refused, fail::Fail};

/// 8 MiB: what a level that makes sense here needs, and not the 128 MiB that a frame may ask for.
const WINDOW_LOG: u32 = 23;

/// Unpacks and parses. Nothing longer than [`MAX_BATCH_BYTES`] is ever held, whatever the body claims to be.
pub async fn batch(headers: &HeaderMap, body: &[u8]) -> Result<Batch, Refused> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or(Ok("identity"), |value| value.to_str());
    let unpacked = match encoding.unwrap_or_default().trim() {
        "zstd" => read(ZstdDecoder::with_params(body, &[DParameter::window_log_max(WINDOW_LOG)])).await?,
        "gzip" => read(GzipDecoder::new(body)).await?,
        "identity" if body.len() > MAX_BATCH_BYTES => return Err(Fail::TooLarge.into()),
        "identity" => return parse(body),
        _ => return Err(Fail::WrongContentType.into()),
    };
    parse(&unpacked)
}

async fn read(decoder: impl AsyncRead + Unpin) -> Result<Vec<u8>, Fail> {
    let mut unpacked = Vec::new();
    let most = MAX_BATCH_BYTES as u64;
    decoder.take(most + 1).read_to_end(&mut unpacked).await.map_err(|e| Fail::Malformed(e.to_string()))?;
    if unpacked.len() as u64 > most { Err(Fail::TooLarge) } else { Ok(unpacked) }
}

/// What every version of the protocol has.
#[derive(Deserialize)]
struct Versioned {
    proto: u16,
}

fn parse(json: &[u8]) -> Result<Batch, Refused> {
    let batch = serde_json::from_slice::<Batch>(json);
    let proto = match &batch {
        Ok(batch) => Some(batch.proto),
        // A version that is not spoken here may have another form.
        Err(_) => serde_json::from_slice(json).ok().map(|versioned: Versioned| versioned.proto),
    };
    if proto.is_some_and(|proto| !speaks(proto)) {
        return Err(Refused::Told(Refusal::Upgrade { oldest: OLDEST_PROTO, newest: PROTO }));
    }
    Ok(batch.map_err(|e| Fail::Malformed(e.to_string()))?)
}
