//! Every example of the SSO documents, as `testing/examples` sends and compares them. The documents show a request for each
//! endpoint and one answer, the login's; the other answers are those of `contracts/sso.md`.

use serde_json::{Value, json};

use super::tests::{both, company, operators, person, sign_in, work};
use crate::{
    db::Cloud,
    identity::seed,
    mail,
    testing::{
        PASSWORD, TestApp,
        examples::{FILE, Section},
    },
};

const NEW_PASSWORD: &str = "kuda lari di pantai";

/// The code of the newest mail.
async fn code(t: &TestApp) -> String {
    work(t).await;
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let newest = mail::list(&mut tx, None, None, None, 1).await.unwrap().remove(0);
    let text = mail::read(&mut tx, &t.app, None, newest.id).await.unwrap().unwrap().text;
    text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).unwrap().to_owned()
}

#[tokio::test]
async fn section_1() {
    both(async |t| {
        let op = operators(&t).await;
        let a = company(&t, "SMAN1").await;
        let doc = Section::open(&t, "sso", "01-auth");

        let register = |answer| doc.ask("POST /sso/auth/register", answer);
        let pcp = |username: &str, kind: &str| {
            json!({
                "first_name": "pcpexpress", "last_name": "", "username": username, "email": format!("{username}@contoh.sch.id"),
                "password": "gajah di pagi buta", "user_istype": kind,
            })
        };
        let mut whole = pcp("pcp", "USER");
        (whole["avatar"], whole["cover"]) = (json!(FILE), json!(FILE));
        register("done").with(whole.clone()).send().await;
        register("company admin").with(pcp("admin", "COMPANY_ADMIN")).send().await;
        register("privileged").with(pcp("super", "SUPER-ADMIN")).send().await;
        register("twice").with(whole).send().await;

        let login = |answer| doc.ask("POST /sso/auth", answer);
        login("done").with(json!({"username": "super_admin", "password": PASSWORD})).send().await;
        login("refused").with(json!({"username": "super_admin", "password": "salah"})).send().await;
        login("nothing sent").with(json!({})).send().await;

        let update = |answer| doc.ask("POST /sso/auth/{user_uuid}", answer).by(&a.user.token);
        let change = json!({
            "first_name": "pcpexpress", "last_name": "x", "username": "sman1.user", "email": "sman1.user@sekolah.sch.id",
            "password": NEW_PASSWORD, "current_password": PASSWORD, "avatar": FILE, "cover": FILE, "isactive": "true",
        });
        update("done").of(a.user.uuid).with(change).send().await;
        update("old password missing").of(a.user.uuid).with(json!({"password": NEW_PASSWORD})).send().await;
        update("somebody else").of(a.admin.uuid).with(json!({"first_name": "x"})).send().await;

        doc.ask("GET /sso/auth/me", "done").by(&op.admin.token).send().await;
        doc.ask("GET /sso/auth/me", "nobody").send().await;
        let verify = |answer| doc.ask("POST /sso/auth/verify-token", answer).with(json!({}));
        verify("done").by(&op.admin.token).send().await;
        verify("invalid").by("x").send().await;
        doc.ask("GET /sso/.well-known/jwks.json", "done").send().await;

        let forgot = |answer| doc.ask("POST /sso/auth/forgot-password", answer);
        let email = "sman1.admin@sekolah.sch.id";
        forgot("asked").with(json!({ "email": email })).send().await;
        let otp = code(&t).await;
        let wrong = json!({"email": email, "otp": "x", "newPassword": NEW_PASSWORD});
        forgot("wrong code").with(wrong.clone()).send().await;
        doc.ask("GET /sso/auth/forgot-password", "wrong code").with(wrong).send().await;
        forgot("done").with(json!({"email": email, "otp": otp, "newPassword": NEW_PASSWORD})).send().await;
        sign_in(&t, "sman1.admin", NEW_PASSWORD).await;

        let logout = |answer| doc.ask("GET /sso/auth/logout", answer).by(&a.user.token);
        logout("done").send().await;
        logout("again").send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_2() {
    both(async |t| {
        let t = t.configured(|config| {
            config.setup_token = Some("0123456789abcdef".into());
            config.super_admin_password = Some(NEW_PASSWORD.into());
        });
        let doc = Section::open(&t, "sso", "02-install");
        let install = |answer| doc.ask("GET /sso/install", answer);
        install("without token").send().await;
        install("done").query("token=0123456789abcdef").send().await;
        install("twice").query("token=0123456789abcdef").send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_3() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let doc = Section::open(&t, "sso", "03-companies");
        let update = |answer| doc.ask("POST /sso/company", answer);
        let us = json!({"address1": "US", "institution_name": "Nama Institusi Baru"});
        update("done").by(&a.admin.token).with(us.clone()).send().await;
        update("user").by(&a.user.token).with(us).send().await;
        update("another's").by(&a.admin.token).with(json!({"institution_id": b.id, "address1": "US"})).send().await;

        let add = |answer| doc.ask("POST /sso/auth/add-new-institution", answer);
        let pesantren = |username: &str| {
            json!({
                "username": username, "email": format!("{username}@contoh.sch.id"), "password": "kuda lari pagi",
                "institution_name": "Pesantren Demo", "address1": "Jl. Merdeka No. 1", "address2": "Kel. Pusat Kota",
                "address3": "Kec. Kebayoran", "zipcode": "12345", "telephone1": "+6281234567890", "telephone2": "+6221123456",
                "fax": "+6221987654", "website": "http://www.pesantren.example", "avatar": FILE, "cover": FILE,
                "institution_code": "467.598.080",
            })
        };
        add("refused").by(&a.admin.token).with(pesantren("pesantrendemo")).send().await;
        add("done").by(&op.admin.token).with(pesantren("pesantrendemo")).send().await;
        add("code taken").by(&op.admin.token).with(pesantren("lain.lagi")).send().await;

        let list = |answer| doc.ask("GET /sso/companies", answer);
        let all = list("done").by(&op.host.token).send().await;
        assert_eq!(all["meta"]["totalItems"], 3, "{}", t.on);
        list("done").by(&a.admin.token).query("page=1&limit=10&search=nama&sort=name").send().await;
        list("user").by(&a.user.token).send().await;
        doc.ask("GET /sso/company", "done").by(&a.admin.token).send().await;
        let show = |answer| doc.ask("GET /sso/companies/{id}", answer).by(&a.admin.token);
        show("done").of(a.id).send().await;
        show("done").of(all["data"][0]["uuid"].as_str().unwrap()).send().await;
        show("unknown").of(b.id).send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_4() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let doc = Section::open(&t, "sso", "04-service-providers");
        let add = |answer| doc.ask("POST /sso/service-providers", answer);
        let new = json!({"name": "ORDERDOM-SERVICEX", "description": "SERVICE ORDERDOM APPS"});
        add("done").by(&op.admin.token).with(new.clone()).send().await;
        add("twice").by(&op.admin.token).with(new.clone()).send().await;
        add("refused").by(&a.admin.token).with(new).send().await;
        let list = |answer| doc.ask("GET /sso/service-providers", answer).by(&op.admin.token);
        list("done").query("search=orderdom&page=1&limit=10&sort=name").send().await;
        list("no such page").query("limit=1000").send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_5() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let new = t.post("/sso/service-providers", Some(&op.admin.token), json!({"name": "ORDERDOM"})).await;
        let doc = Section::open(&t, "sso", "05-company-service-providers");
        let add = |answer| doc.ask("POST /sso/company-service-providers", answer).by(&op.admin.token);
        let pair =
            |company: Value| json!({"company_id": company, "service_provider_id": new.body["data"]["id"]});
        let made = add("done").with(pair(json!(a.id))).send().await;
        add("twice").with(pair(json!(a.id))).send().await;
        add("no such company").with(pair(json!(999_999))).send().await;
        add("refused").by(&a.admin.token).with(pair(json!(a.id))).send().await;
        let list =
            |answer| doc.ask("GET /sso/company-service-providers/{company_id}", answer).by(&a.admin.token);
        list("done").of(a.id).send().await;
        list("another's").of(b.id).send().await;
        let delete =
            |answer| doc.ask("DELETE /sso/company-service-providers/{id}", answer).by(&op.admin.token);
        delete("done").of(&made["data"]["id"]).send().await;
        delete("again").of(&made["data"]["id"]).send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_6() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let doc = Section::open(&t, "sso", "06-roles");
        let add = |answer| doc.ask("POST /sso/roles", answer);
        let new = |code: &str| json!({"reference_code": code, "name": code, "description": "developers"});
        let made = add("done").by(&op.admin.token).with(new("DEVELOPER")).send().await;
        add("twice").by(&op.admin.token).with(new("HOST")).send().await;
        add("refused").by(&op.host.token).with(new("OTHER")).send().await;
        let id = &made["data"]["id"];
        doc.ask("GET /sso/roles", "done").by(&op.admin.token).query("limit=3&sort=name").send().await;
        let show = |answer| doc.ask("GET /sso/roles/{role_id}", answer).by(&op.admin.token);
        show("done").of(id).send().await;
        show("unknown").of(999_999).send().await;
        let change = |answer| doc.ask("PUT /sso/roles/{role_id}", answer).by(&op.admin.token);
        change("done").of(id).with(json!({"name": "PENGEMBANG"})).send().await;
        change("seeded").of(seed::USER).with(json!({"name": "PENGEMBANG"})).send().await;

        let give = |answer| doc.ask("POST /sso/auth/set-user-role/{user_uuid}", answer);
        give("done").by(&op.admin.token).of(a.user.uuid).with(json!({"role_id": id})).send().await;
        give("too much").by(&a.admin.token).of(a.user.uuid).with(json!({"role_id": seed::HOST})).send().await;
        give("another's")
            .by(&a.admin.token)
            .of(b.user.uuid)
            .with(json!({"role_id": seed::USER}))
            .send()
            .await;
        let delete = |answer| doc.ask("DELETE /sso/roles/{role_id}", answer).by(&op.admin.token);
        delete("in use").of(id).send().await;
        give("done").by(&op.admin.token).of(a.user.uuid).with(json!({"role_id": seed::USER})).send().await;
        delete("done").of(id).send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_7() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let doc = Section::open(&t, "sso", "07-permissions");
        let uuid = t.get("/sso/service-providers/SSO", Some(&op.admin.token)).await.body["data"]["uuid"].clone();
        let uuid = uuid.as_str().unwrap();
        let add = |answer| doc.ask("POST /sso/permissions/{service_uuid}/service", answer).by(&op.host.token);
        let new = json!({
            "permission_name": "create_service_resource", "description": "Izin untuk membuat sumber daya layanan",
            "resource_type": "service", "action": "create",
        });
        let made = add("done").of(uuid).with(new.clone()).send().await;
        add("twice").of(uuid).with(new.clone()).send().await;
        add("no such service").of("836e1471-a5ad-471a-b800-df1b3c518bab").with(new.clone()).send().await;
        add("refused").by(&a.admin.token).of(uuid).with(new).send().await;
        let permission = made["data"]["id"].as_i64().unwrap();
        let own = doc.ask("GET /sso/permissions/{service_uuid}/service", "done").by(&op.host.token);
        own.of(uuid).query("search=create_service").send().await;
        let list = |answer| doc.ask("GET /sso/permissions", answer).query("search=sso.roles&sort=name");
        list("done").by(&a.admin.token).send().await;
        list("user").by(&a.user.token).send().await;

        let give = |answer| doc.ask("POST /sso/role-permissions", answer);
        let pair = json!({"role_id": seed::HOST.to_string(), "permission_id": permission.to_string()});
        give("done").by(&op.admin.token).with(pair.clone()).send().await;
        give("twice").by(&op.admin.token).with(pair.clone()).send().await;
        give("refused").by(&op.host.token).with(pair).send().await;
        let who = |answer| doc.ask("GET /sso/role-permissions/{permission_id}/role/{role_id}/user", answer);
        let held = who("done").by(&op.admin.token).of(format!("{permission}/{}", seed::HOST)).send().await;
        assert_eq!(held["data"]["users"][0]["username"], "host");
        who("not given").by(&op.admin.token).of(format!("{permission}/{}", seed::USER)).send().await;
        doc.close();
    })
    .await;
}

#[tokio::test]
async fn section_8() {
    both(async |t| {
        let a = company(&t, "SMAN1").await;
        person(&t, Some(a.id), "later", Some(seed::USER)).await;
        let doc = Section::open(&t, "sso", "08-users");
        let add = |answer| doc.ask("POST /sso/users/", answer);
        let mut new = json!({
            "username": "host.it_kuansing", "email": "host.it_kuansing@contoh.sch.id", "password": "gajah di pagi buta",
            "avatar": FILE, "cover": FILE, "name": "Budi Santoso host",
        });
        add("done").by(&a.admin.token).with(new.clone()).send().await;
        add("twice").by(&a.admin.token).with(new.clone()).send().await;
        add("refused").by(&a.user.token).with(new.clone()).send().await;
        new["password"] = json!("password1");
        add("common password").by(&a.admin.token).with(new).send().await;
        doc.ask("GET /sso/users", "done").by(&a.admin.token).query("search=sman1&sort=id").send().await;
        doc.close();
    })
    .await;
}
