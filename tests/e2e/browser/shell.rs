//! A page that is loaded again while the box is away says so, and goes on by itself.

use hadir_tests::browser::Browser;

use super::{School, can_run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_without_the_box_says_so_and_goes_on_when_it_is_back() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    let edge = school.edge().await.unwrap();
    let [mut edge] = school.cut_off([edge]).await.unwrap();
    let browser = Browser::start(&[]).await.unwrap();
    let gate = format!("{}/gate", edge.url());
    browser.open(&gate).await.unwrap();
    browser.until("navigator.serviceWorker.controller").await.unwrap();
    edge.kill().await.unwrap();
    browser.open(&gate).await.unwrap();
    browser.until("document.querySelector('h1')?.textContent === 'Kotak tidak terjangkau'").await.unwrap();
    let styled = "getComputedStyle(document.getElementById('again')).backgroundColor === 'rgb(11, 93, 81)'";
    browser.until(styled).await.unwrap();
    browser.tap("#language").await.unwrap();
    assert_eq!(browser.text("h1").await.unwrap(), "The box cannot be reached");
    edge.resume().await.unwrap();
    // On a day off nobody is expected.
    browser.until("/[0-9] \\/ [0-9]/.test(document.getElementById('count')?.textContent)").await.unwrap();
    assert_eq!(browser.run("return location.href", ().into()).await.unwrap(), gate);
}
