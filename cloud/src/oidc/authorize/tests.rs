//! The plan alone: who is asked what.

use super::*;
use crate::{
    identity::Alg,
    oidc::{
        client::{About, Client},
        request::Prompt,
    },
};

const NOW: Millis = Millis(1_763_682_300_000);

fn request(prompt: Prompt, max_age: Option<i64>, after: Option<Millis>) -> Request {
    let about = About {
        name: "Moodle".into(),
        institution: None,
        is_public: true,
        redirect_uris: vec!["https://a.example/cb".into()],
        logout_uris: Vec::new(),
        scopes: Scopes::parse("openid"),
        alg: Alg::Rs256,
        is_trusted: false,
        is_active: true,
    };
    Request {
        client: Client::of(about),
        redirect_uri: "https://a.example/cb".into(),
        state: None,
        scopes: Scopes::parse("openid"),
        nonce: None,
        challenge: String::new(),
        prompt,
        max_age,
        id_token_hint: None,
        login_hint: None,
        lang: None,
        after,
        query: String::new(),
        whole: String::new(),
    }
}

fn visitor(age_s: i64) -> Visitor {
    Visitor {
        since: NOW.plus_seconds(-age_s),
        is_half: false,
        is_admitted: true,
        is_meant: true,
        has_agreed: true,
    }
}

const PLAIN: Prompt = Prompt { none: false, login: false, consent: false };
const NONE: Prompt = Prompt { none: true, ..PLAIN };
const LOGIN: Prompt = Prompt { login: true, ..PLAIN };
const CONSENT: Prompt = Prompt { consent: true, ..PLAIN };

fn error(step: &Step) -> &'static str {
    match step {
        Step::Refuse(error, _) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_asked_what() {
    let just = Some(NOW.plus_seconds(-60));
    for (prompt, max_age, after, visitor, decision, wanted) in [
        (PLAIN, None, None, None, None, Step::SignIn),
        (PLAIN, None, None, Some(visitor(9999)), None, Step::Agree),
        (PLAIN, Some(10_000), None, Some(visitor(9999)), None, Step::Agree),
        (PLAIN, Some(1), None, Some(visitor(2)), None, Step::SignIn),
        (PLAIN, Some(0), None, Some(visitor(0)), None, Step::SignIn),
        (PLAIN, Some(0), just, Some(visitor(30)), None, Step::Agree),
        (LOGIN, None, None, Some(visitor(0)), None, Step::SignIn),
        (LOGIN, None, just, Some(visitor(60)), None, Step::SignIn),
        (LOGIN, None, just, Some(visitor(59)), None, Step::Agree),
        (CONSENT, None, None, Some(visitor(9)), None, Step::Ask),
        (CONSENT, None, None, Some(visitor(9)), Some(Decision::Allow), Step::Agree),
        (LOGIN, None, None, Some(visitor(9)), Some(Decision::Allow), Step::SignIn),
        (PLAIN, None, None, Some(Visitor { has_agreed: false, ..visitor(9) }), None, Step::Ask),
        (PLAIN, None, None, Some(Visitor { is_half: true, ..visitor(9) }), None, Step::SetUpSecond),
        (PLAIN, None, None, Some(Visitor { is_meant: false, ..visitor(9) }), None, Step::SignIn),
        (NONE, None, None, Some(visitor(9)), None, Step::Agree),
    ] {
        let step = plan(&request(prompt, max_age, after), visitor, decision, NOW);
        assert_eq!(step, wanted, "{prompt:?} {max_age:?} {after:?} {visitor:?} {decision:?}");
    }
}

#[test]
fn nobody_is_asked_anything_where_the_client_wants_silence() {
    let quiet = request(NONE, Some(5), None);
    for (visitor, wanted) in [
        (None, "login_required"),
        (Some(visitor(6)), "login_required"),
        (Some(Visitor { is_meant: false, ..visitor(1) }), "login_required"),
        (Some(Visitor { is_half: true, ..visitor(1) }), "interaction_required"),
        (Some(Visitor { has_agreed: false, ..visitor(1) }), "consent_required"),
        (Some(Visitor { is_admitted: false, ..visitor(1) }), "access_denied"),
    ] {
        assert_eq!(error(&plan(&quiet, visitor, None, NOW)), wanted, "{visitor:?}");
    }
}

#[test]
fn a_refusal_is_a_refusal_whatever_was_agreed_to_before() {
    let plain = request(PLAIN, None, None);
    assert_eq!(error(&plan(&plain, Some(visitor(1)), Some(Decision::Deny), NOW)), "access_denied");
    let stranger = Visitor { is_admitted: false, ..visitor(1) };
    assert_eq!(error(&plan(&plain, Some(stranger), Some(Decision::Allow), NOW)), "access_denied");
    let just = request(PLAIN, None, Some(NOW.plus_seconds(-60)));
    let another = Visitor { is_meant: false, ..visitor(1) };
    assert_eq!(error(&plan(&just, Some(another), None, NOW)), "access_denied", "he signed in, as another");
}
