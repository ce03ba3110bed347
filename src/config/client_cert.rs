//! The certificates that sources show.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;

use super::Authority;
use super::file::ClientCert;
use super::resolve::{Resolver, placed};

impl Resolver<'_> {
    /// `None` if the file of the authority cannot be used, which is a mistake. It is read again when it changes.
    pub(super) fn client_cert(&mut self, shown: &ClientCert, path: &str) -> Option<Authority> {
        let (place, file) = placed(Some(&shown.ca))?;
        let file = self.folder.join(file);
        self.files.push(file.clone());
        let chain = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let verifier = chain.map_err(|error| error.to_string()).and_then(|chain| {
            let mut roots = RootCertStore::empty();
            let (known, _) = roots.add_parsable_certificates(chain);
            if known == 0 {
                return Err("no certificate in it".to_owned());
            }
            let provider = Arc::new(ring::default_provider());
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.build().map_err(|error| error.to_string())
        });
        let name = placed(shown.name.as_ref()).map(|(_, name)| name.clone());
        match verifier {
            Ok(verifier) => Some(Authority { verifier, name }),
            Err(error) => {
                let file = file.display();
                self.found.mistake(
                    place,
                    (
                        format!("`{path}.ca`：{file} 不能用：{error}"),
                        format!("`{path}.ca`: {file} cannot be used: {error}"),
                    ),
                    ("要 PEM 格式的 CA 证书", "it must hold the certificates of the authority, in PEM"),
                );
                None
            }
        }
    }
}
