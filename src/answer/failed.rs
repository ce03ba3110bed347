//! Why an act failed, in both languages.

use crate::upstream::UpstreamError;
use crate::words::Words;

/// Why an act failed.
#[derive(Debug, Clone)]
pub(super) struct Failed(Words);

impl Failed {
    pub(super) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self(Words::from((zh.into(), en.into())))
    }

    pub(super) fn nothing() -> Self {
        Self::new("没有可做的事", "there is nothing to do")
    }

    pub(super) fn no_upstream() -> Self {
        Self::new(
            "不知道这条告警来自哪个 Alertmanager 或 Grafana：请在配置的 upstreams 里加上它，或在上游自己静默",
            "it is not known which Alertmanager or Grafana this alert came from: add it to `upstreams`, or silence it there",
        )
    }

    pub(super) fn too_wide() -> Self {
        Self::new(
            "这些告警没有共同的名字（alertname）或规则，一个静默会盖得太宽：请在上游分别静默",
            "these alerts share no name (alertname) and no rule, so one silence would hide others, too: silence each of them upstream",
        )
    }

    pub(super) fn too_many() -> Self {
        Self::new(
            "告警来自太多通知，没能及时读完：请在上游静默，或从其中一条告警自己的消息静默",
            "the alerts come from too many notifications to be read in time: silence them upstream, or each from its own message",
        )
    }

    pub(super) fn no_silence() -> Self {
        Self::new("没有还在生效的静默", "there is no silence in force")
    }

    /// An earlier run may have done it, and this is why that cannot be asked.
    pub(super) fn unsure(&self) -> Self {
        let (zh, en) = (&self.0.zh, &self.0.en);
        Self::new(
            format!("可能已经做成，但现在问不到，请在上游的静默列表里看：{zh}"),
            format!("it may have been done, which cannot be asked now: look at the silences upstream: {en}"),
        )
    }

    /// As the record keeps it, for readers of both languages.
    pub(super) fn recorded(&self) -> String {
        self.0.recorded()
    }
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self(error.what)
    }
}
