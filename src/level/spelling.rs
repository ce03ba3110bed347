//! One spelling for words that are written in several: traditional Chinese and the Han of Japanese as simplified Chinese,
//! names of members in pinyin as Han.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Letters of the words for states, levels, things and times, and their simplified twins.
const TWINS: &str = "復复嚴严機机狀状態态級级觸触發发発发異异離离線线連连斷断當当錯错誤误敗败決决關关閉闭處处確确認认資资裝装點点節节環环緊紧險险設设備备務务網网\
    實实對对標标題题內内說说類类開开結结時时間间門门檻槛閾阈閥阀況况報报檢检測测據据庫库滿满過过載载電电壓压溫温濕湿體体憶忆記记頻频響响應应無无\
    運运圖图維维護护監监視视訊讯號号層层際际傳传輸输導导權权簽签證证書书續续擴扩縮缩啟启動动產产現现單单項项組组專专區区顯显檔档舊旧綠绿紅红黃黄\
    藍蓝還还歸归帰归銷销輕轻陣阵軟软個个數数條条帳账戶户於于從从為为與与進进達达終终極极損损壞坏毀毁頁页試试驗验議议補补遠远鄰邻樓楼櫃柜臺台";

/// The text in simplified Han.
pub fn simplified(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(|letter| twin(letter) != letter) {
        return Cow::Borrowed(text);
    }
    text.chars().map(twin).collect()
}

/// The letter as it is written in simplified Han.
fn twin(letter: char) -> char {
    static OF: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
        let letters: Vec<char> = TWINS.chars().filter(|letter| !letter.is_whitespace()).collect();
        // A letter that is listed twice keeps its first twin.
        letters.chunks_exact(2).rev().map(|pair| (pair[0], pair[1])).collect()
    });
    let is_han = ('\u{4E00}'..='\u{9FFF}').contains(&letter);
    if is_han { OF.get(&letter).copied().unwrap_or(letter) } else { letter }
}

/// Syllables of names in pinyin.
const PINYIN: [(&str, &str); 44] = [
    ("gaojing", "告警"),
    ("baojing", "报警"),
    ("guzhang", "故障"),
    ("huifu", "恢复"),
    ("mingcheng", "名称"),
    ("biaoti", "标题"),
    ("neirong", "内容"),
    ("miaoshu", "描述"),
    ("xiangqing", "详情"),
    ("yuanyin", "原因"),
    ("zhuji", "主机"),
    ("fuwuqi", "服务器"),
    ("fuwu", "服务"),
    ("shebei", "设备"),
    ("jiedian", "节点"),
    ("jiqun", "集群"),
    ("yingyong", "应用"),
    ("xitong", "系统"),
    ("shili", "实例"),
    ("duixiang", "对象"),
    ("ziyuan", "资源"),
    ("xiangmu", "项目"),
    ("huanjing", "环境"),
    ("dizhi", "地址"),
    ("jifang", "机房"),
    ("renwu", "任务"),
    ("jibie", "级别"),
    ("dengji", "等级"),
    ("zhuangtai", "状态"),
    ("leixing", "类型"),
    ("shijian", "时间"),
    ("riqi", "日期"),
    ("kaishi", "开始"),
    ("jieshu", "结束"),
    ("fasheng", "发生"),
    ("chufa", "触发"),
    ("shouci", "首次"),
    ("dangqianzhi", "当前值"),
    ("yuzhi", "阈值"),
    ("zhibiao", "指标"),
    ("guize", "规则"),
    ("lianjie", "链接"),
    ("yanzhong", "严重"),
    ("chengdu", "程度"),
];

/// A name of small letters that is nothing but such syllables, in Han; `ip` and `id` may end it.
pub(super) fn of_pinyin(name: &str) -> Option<String> {
    let tail = ["ip", "id"].into_iter().find(|tail| name.ends_with(tail)).unwrap_or_default();
    let mut rest = &name[..name.len() - tail.len()];
    let mut han = String::new();
    while !rest.is_empty() {
        // Most names are refused by their first letters alone.
        let begins = |syllables: &str| syllables.as_bytes()[..2] == rest.as_bytes()[..2] && rest.starts_with(syllables);
        let (syllables, word) = PINYIN.iter().find(|(syllables, _)| rest.len() > 2 && begins(syllables))?;
        han.push_str(word);
        rest = &rest[syllables.len()..];
    }
    (!han.is_empty()).then(|| han + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_has_one_spelling() {
        for (text, plain) in
            [("恢復", "恢复"), ("嚴重程度", "严重程度"), ("障害発生", "障害发生"), ("恢复 web-1", "恢复 web-1")]
        {
            assert_eq!(simplified(text), plain);
        }
        for (name, han) in [
            ("gaojingmingcheng", Some("告警名称")),
            ("zhuji", Some("主机")),
            ("zhujiip", Some("主机ip")),
            ("fuwuqi", Some("服务器")),
            ("severity", None),
            ("ip", None),
            ("zhujix", None),
        ] {
            assert_eq!(of_pinyin(name).as_deref(), han, "{name}");
        }
        assert_eq!(TWINS.chars().filter(|letter| !letter.is_whitespace()).count() % 2, 0);
    }
}
