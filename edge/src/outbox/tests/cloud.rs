//! A cloud that does as it is told: keeps what it is sent, or plays a trick.

use super::*;

/// What the cloud does with the next request instead of its duty.
#[derive(Debug, Clone, PartialEq)]
pub enum Trick {
    /// Commits, and the answer is lost.
    LoseReply,
    Captive,
    CaptiveRedirect,
    WrongSignature,
    WrongBatch,
    WrongHash,
    Status(u16),
    Busy(&'static str),
}

/// A cloud in memory that keeps the protocol unless it is told otherwise.
#[derive(Clone)]
pub struct Cloud(pub Arc<Mutex<Books>>);

pub struct Books {
    pub key: SecretKey,
    pub device: SecretKey,
    pub logs: BTreeMap<LogId, Vec<String>>,
    pub tricks: VecDeque<Trick>,
    pub requests: Vec<(String, u64, usize)>,
    pub quarantined: Vec<String>,
    /// Whatever is in a batch with this in it makes the cloud fail.
    pub poison: Option<String>,
    /// More records than this are too many (413).
    pub most: usize,
    pub verdict: Option<Verdict>,
    pub clock: Arc<Hands>,
    pub ahead_ms: i64,
}

impl Cloud {
    pub fn books<T>(&self, with: impl FnOnce(&mut Books) -> T) -> T {
        with(&mut self.0.lock().unwrap())
    }

    pub fn trick(&self, tricks: &[Trick]) {
        self.books(|books| books.tricks.extend(tricks.iter().cloned()));
    }

    pub fn held(&self) -> usize {
        self.books(|books| books.logs.values().map(Vec::len).sum())
    }
}

pub async fn batches(State(cloud): State<Cloud>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    cloud.books(|books| take(books, &uri, &headers, &body))
}

fn take(books: &mut Books, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
    let text = |name| headers[name].to_str().unwrap();
    let request = SignedRequest {
        device: DeviceId(text(DEVICE_HEADER).parse().unwrap()),
        nonce: text(NONCE_HEADER).parse().unwrap(),
        method: "POST",
        target: uri.path(),
        body,
    };
    request.verify(&books.device.public(), &text(SIGNATURE_HEADER).parse().unwrap()).unwrap();
    assert_eq!(headers[header::CONTENT_ENCODING], "zstd");
    let batch: Batch = serde_json::from_slice(&zstd::decode_all(body.as_ref()).unwrap()).unwrap();
    batch.check(&books.device.public()).unwrap();
    books.requests.push((uri.path().to_owned(), batch.first_seq, batch.events.len()));
    let trick = books.tricks.pop_front();
    match &trick {
        Some(Trick::Captive) => {
            return ([(header::CONTENT_TYPE, "text/html")], "<h1>Selamat datang</h1>").into_response();
        }
        Some(Trick::CaptiveRedirect) => {
            return (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/login")]).into_response();
        }
        Some(Trick::Status(status)) => return StatusCode::from_u16(*status).unwrap().into_response(),
        Some(Trick::Busy(seconds)) => {
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, *seconds)]).into_response();
        }
        _ => {}
    }
    if batch.events.len() > books.most {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let aside = uri.path().ends_with("quarantine");
    let poisoned = books.poison.as_ref().is_some_and(|p| batch.events.iter().any(|e| e.contains(p.as_str())));
    if poisoned && !aside {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if aside {
        books.quarantined.extend(batch.events.iter().cloned());
    }
    let held = books.logs.entry(batch.log).or_default();
    let hash_at = |held: &Vec<String>, n: u64| {
        held[..usize::try_from(n).unwrap()]
            .iter()
            .fold(Head::genesis(batch.log), |h, b| h.append(batch.log, b.as_bytes()))
            .hash
    };
    let high = held.len() as u64;
    let refuse = |refusal: Refusal| {
        (
            StatusCode::CONFLICT,
            serde_json::json!({"success": false, "message": "", "refusal": refusal}).to_string(),
        )
            .into_response()
    };
    if batch.first_seq > high + 1 {
        return refuse(Refusal::Gap { expected: high + 1 });
    }
    if hash_at(held, batch.first_seq - 1) != batch.prev_hash {
        return refuse(Refusal::Fork { high, hash: hash_at(held, high) });
    }
    let skip = usize::try_from(high + 1 - batch.first_seq).unwrap();
    let new: Vec<String> = batch.events.iter().skip(skip).cloned().collect();
    let verdicts = books.verdict.map_or_else(Vec::new, |verdict| {
        let reason = Reason::UnknownPerson.as_str().to_owned();
        (high + 1..)
            .zip(&new)
            .map(|(seq, _)| RecordVerdict { seq, verdict, reason: reason.clone() })
            .collect()
    });
    held.extend(new);
    let (through, head_hash) = (held.len() as u64, hash_at(held, held.len() as u64));
    let now = books.clock.read().wall.plus_millis(books.ahead_ms);
    let mut receipt = Receipt {
        proto: PROTO,
        batch: batch.batch,
        durable_through: through,
        head_hash,
        prunable_through: 0,
        store: Uuid::from_u128(3),
        verdicts,
        t2: now,
        t3: now,
        down: Down { generation: Uuid::from_u128(4), latest: 0, revocations: 0 },
        retry_after_ms: 0,
        receipt_sig: Signature([0; 64]),
    };
    match trick {
        Some(Trick::WrongBatch) => receipt.batch = hadir_shared::ids::BatchId(Uuid::nil()),
        Some(Trick::WrongHash) => receipt.head_hash = Hash::of(b"other"),
        _ => {}
    }
    let stranger = SecretKey::from_seed(&[99; 32]);
    let key = if trick == Some(Trick::WrongSignature) { &stranger } else { &books.key };
    receipt.sign(key, DEVICE, batch.log);
    if trick == Some(Trick::LoseReply) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    ([(header::CONTENT_TYPE, RECEIPT_CONTENT_TYPE)], serde_json::to_string(&receipt).unwrap()).into_response()
}
