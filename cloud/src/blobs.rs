//! Files in folders under `data_dir`, by names that we made. What they mean is the business of whoever keeps them.

use anyhow::Context as _;
use axum::body::Bytes;
use object_store::{ObjectStoreExt as _, local::LocalFileSystem, path::Path};

use crate::app::App;

/// Where one kind of file lies.
#[derive(Debug, Clone, Copy)]
pub struct Folder(pub &'static str);

impl Folder {
    pub async fn put(self, app: &App, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.open(app)?.put(&Path::from(name), bytes.into()).await.context("keeping a file")?;
        Ok(())
    }

    pub async fn get(self, app: &App, name: &str) -> anyhow::Result<Bytes> {
        let object = self.open(app)?.get(&Path::from(name)).await.context("a file that is in the books")?;
        object.bytes().await.context("reading a file")
    }

    /// A file that is gone already is removed.
    pub async fn remove(self, app: &App, name: &str) -> anyhow::Result<()> {
        match self.open(app)?.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e).with_context(|| format!("removing {name}")),
        }
    }

    fn open(self, app: &App) -> anyhow::Result<LocalFileSystem> {
        let folder = app.config.data_dir.join(self.0);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
    }
}
