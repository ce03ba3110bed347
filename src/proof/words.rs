//! Why a request proves no source, as operators are told.

use super::Why;
use crate::words::{Words, words};

/// The reason in words.
pub(super) fn why(why: &Why) -> Words {
    match why {
        Why::Missing => words("没有给出凭证", "no credential was given"),
        Why::Unknown => words("没有来源有这个凭证", "no source has this credential"),
        Why::Signature => words("签名与内容或密钥不符", "the signature does not fit the content and the secret"),
        Why::Address => words("发送方的地址不在名单上", "the sender's address is not on the list"),
        Why::Replayed => {
            words("同一个签过名的请求已在另一个地址收下", "the same signed request was taken at another address")
        }
        Why::Topic => words("主题不在名单上", "the topic is not on the list"),
        Why::Certificate => words("签名证书不可信", "the signing certificate cannot be trusted"),
        Why::CertificateNeeded(_) => words("签名证书没有取到", "the signing certificate could not be fetched"),
        Why::Stale { behind_seconds } => {
            let (zh, en) = if *behind_seconds < 0 { ("快", "ahead of") } else { ("慢", "behind") };
            let seconds = behind_seconds.unsigned_abs();
            (format!("签名的时间比本机{zh} {seconds} 秒"), format!("the signed time is {seconds} s {en} ours")).into()
        }
    }
}
