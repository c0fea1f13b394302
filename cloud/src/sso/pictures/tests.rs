use std::path::PathBuf;

use super::super::tests::{Part, both, png, send, work};
use crate::{
    attendance::tests::{class, school},
    identity::seed,
    testing::TestApp,
};

/// Gives somebody an avatar and a cover, and says where they lie.
async fn dressed(t: &TestApp, token: &str) -> [PathBuf; 2] {
    let me = t.get("/sso/auth/me", Some(token)).await;
    let path = format!("/sso/auth/{}", me.body["data"]["uuid"].as_str().unwrap());
    let (avatar, cover) = (png(8), png(16));
    let parts = [Part::File("avatar", &avatar), Part::File("cover", &cover)];
    let changed = send(t, &path, Some(token), &parts).await;
    assert_eq!(changed.status, 200, "{} {}", t.on, changed.body);
    let folder = t.app.config.data_dir.join("pictures");
    ["avatar", "cover"]
        .map(|kind| folder.join(changed.body["data"][kind].as_str().unwrap().rsplit('/').next().unwrap()))
}

#[tokio::test]
async fn who_goes_leaves_no_picture_behind() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (gone, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (homeroom, other) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        class(&t, &school, "X", Some(homeroom)).await;
        let (his, others) = (dressed(&t, &token).await, dressed(&t, &other).await);
        let own = dressed(&t, &school.admin).await;
        work(&t).await;
        assert!(his.iter().chain(&others).all(|file| file.is_file()), "{}", t.on);

        let delete = async |id| t.delete(&format!("/api/users/{id}"), Some(&school.admin)).await.status;
        assert_eq!(delete(gone).await, 200);
        assert!(his.iter().all(|file| file.is_file()), "{}: not before the commit", t.on);
        work(&t).await;
        assert!(his.iter().all(|file| !file.exists()), "{}: {his:?}", t.on);

        assert_eq!(delete(homeroom).await, 200, "a class names him: he is switched off, and stays");
        let me = t.get("/api/profile", Some(&school.admin)).await.body["data"]["id"].clone();
        let refused = t.delete(&format!("/api/users/{me}"), Some(&school.admin)).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        work(&t).await;
        assert!(others.iter().chain(&own).all(|file| file.is_file()), "{}", t.on);
        let seen = format!("/sso/pictures/{}", others[0].file_name().unwrap().to_str().unwrap());
        assert_eq!(t.get(&seen, Some(&school.admin)).await.status, 200);
    })
    .await;
}
