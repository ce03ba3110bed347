//! The rows: WeCom's codes that a sender can get (docs/reference/wecom.md#error-codes, #bot-errors, #app-chats,
//! #token-errors), in our own words.

use super::About::{Account, Card, Content, Media, Receiver, Route, System};
use super::Class::{BackOff, Configuration, Ok, Refused, Token, Transient};
use super::{About, Class, Meaning};

/// The remedy, in Chinese and English.
#[derive(Clone, Copy)]
struct Remedy(&'static str, &'static str);

const fn row(code: i64, class: Class, about: About, zh: &'static str, en: &'static str, remedy: Remedy) -> Meaning {
    Meaning { code, class, about, zh, en, remedy_zh: remedy.0, remedy_en: remedy.1 }
}

const NOTHING: Remedy = Remedy("无需处理，会自动重试", "Nothing: it is tried again.");
const BUG: Remedy =
    Remedy("这是 wegraf 的缺陷，请附上日志反馈", "This is a bug of wegraf: please report it with the log.");
const CARD: Remedy = Remedy("已改用纯文本；请检查卡片模板", "Plain text is used instead: check the card template.");
const TEMPLATE: Remedy = Remedy("请检查消息模板", "Check the message template.");
const SHORTER: Remedy = Remedy("请在模板中缩短内容", "Make the template shorter.");
const LINK: Remedy = Remedy(
    "请检查 Grafana / Alertmanager 的外部地址（external URL）设置",
    "Check the external URL setting of Grafana or Alertmanager.",
);
const RECEIVER: Remedy = Remedy(
    "请更正配置中的接收人（users / parties / tags）",
    "Correct the receiver (users, parties, tags) in the configuration.",
);
const SPLIT: Remedy = Remedy("请把接收人分成几批", "Split the receivers into batches.");
const SCOPE: Remedy =
    Remedy("请在管理后台扩大应用的可见范围", "Widen the visible scope of the app in the admin console.");
const SECRET: Remedy =
    Remedy("请核对应用的 Secret，并确认应用已启用", "Check the secret of the app and that the app is enabled.");
const CORP: Remedy = Remedy("请核对企业 ID（corp_id）", "Check the corp id.");
const AGENT: Remedy =
    Remedy("请核对 agent_id 与 Secret 是否属于同一应用", "Check that agent id and secret are of the same app.");
const RIGHTS: Remedy = Remedy("请管理员授予该应用此接口的权限", "Have an administrator grant the app this API.");
const ENABLE: Remedy = Remedy("请管理员在后台重新启用该应用", "Have an administrator enable the app again.");
const TRUSTED_IP: Remedy = Remedy(
    "请把报错中的 IP 加入应用的“企业可信IP”，约一分钟后生效",
    "Add the address shown in the error to the trusted IPs of the app; it takes about a minute.",
);
const LICENCE: Remedy =
    Remedy("请为这些成员购买并激活接口许可", "Buy and activate an interface licence for these members.");
const CHAT: Remedy = Remedy(
    "请用 `wegraf chat create` 重新建群，并更新配置中的 chatid",
    "Create the chat again with `wegraf chat create` and put the new chatid into the configuration.",
);
const CHAT_FIELDS: Remedy = Remedy(
    "请更正群聊的参数（chatid、群名、群主、成员）",
    "Correct the parameters of the chat (chatid, name, owner, members).",
);
const WEBHOOK: Remedy = Remedy(
    "请在群里重新添加消息推送，并更新配置中的 key",
    "Add the webhook to the group again and put its key into the configuration.",
);
const BOT: Remedy = Remedy(
    "请核对机器人的 bot_id 与 Secret，并确认它处于长连接的 API 模式",
    "Check bot id and secret of the bot, and that it is in API mode with a long connection.",
);
const PICTURE: Remedy =
    Remedy("请检查图片的格式（JPG/PNG）与大小", "Check format (JPG or PNG) and size of the picture.");

/// Every code, in ascending order.
#[rustfmt::skip] // One code, one line: it is read and compared as a table.
pub(super) static ROWS: &[Meaning] = &[
    row(-1, Transient, System, "企业微信系统繁忙", "WeCom is busy", NOTHING),
    row(0, Ok, System, "成功", "done", Remedy("若有未送达名单，请更正接收人", "If some were not reached, correct the receivers.")),
    row(6000, Transient, System, "数据版本冲突（并发写入）", "parallel writers met", NOTHING),
    row(40001, Token, Account, "凭证无效：Secret 错误、已重置，或应用已停用", "invalid credential: secret wrong or reset, or app stopped", SECRET),
    row(40003, Refused, Receiver, "成员 userid 无效", "a userid is invalid", RECEIVER),
    row(40004, Refused, Media, "媒体文件类型无效", "the kind of file is invalid", PICTURE),
    row(40005, Refused, Media, "上传的 type 参数无效", "the type parameter of the upload is invalid", BUG),
    row(40006, Refused, Media, "文件大小不合要求", "the size of the file is not allowed", PICTURE),
    row(40007, Refused, Media, "media_id 无效或已过期（3 天）", "the media id is invalid or older than 3 days", Remedy("会重新上传；若反复出现请检查图片", "It is uploaded again; if it recurs, check the picture.")),
    row(40008, Refused, Content, "消息类型 msgtype 无效", "the msgtype is invalid", BUG),
    row(40009, Refused, Media, "图片大小不合要求", "the size of the picture is not allowed", PICTURE),
    row(40011, Refused, Media, "视频大小不合要求", "the size of the video is not allowed", PICTURE),
    row(40013, Configuration, Account, "企业 ID 无效", "the corp id is invalid", CORP),
    row(40014, Token, Account, "access_token 无效", "the access token is invalid", Remedy("会自动刷新；若反复出现，请检查是否有别的程序也在用这个 Secret 获取 token", "It is refreshed; if it recurs, look for another program that fetches tokens with this secret.")),
    row(40031, Refused, Receiver, "userid 列表无效", "the list of userids is invalid", RECEIVER),
    row(40032, Refused, Receiver, "userid 超过 1000 个", "more than 1000 userids", SPLIT),
    row(40033, Refused, Content, "内容含有非法字符（\\uXXXX 转义）", "illegal characters (\\uXXXX escapes)", BUG),
    row(40035, Refused, Receiver, "列表参数的形式或数量不对", "form or number of a list parameter is wrong", BUG),
    row(40039, Refused, Content, "链接过长", "a link is too long", LINK),
    row(40050, Configuration, Route, "chatid 不存在", "there is no such chatid", CHAT),
    row(40056, Configuration, Account, "agent_id 无效", "the agent id is invalid", AGENT),
    row(40058, Refused, Content, "参数不合法：JSON 有误、内容超长或数量过多", "invalid parameter: bad JSON, too long or too many", TEMPLATE),
    row(40063, Refused, Content, "必填参数为空", "a required parameter is empty", BUG),
    row(40066, Refused, Receiver, "部门列表无效", "the list of departments is invalid", RECEIVER),
    row(40068, Refused, Receiver, "标签无效", "a tag is invalid", RECEIVER),
    row(40070, Refused, Receiver, "标签下的成员全部无效", "all members of the tags are invalid", RECEIVER),
    row(40074, Refused, Content, "图文消息不支持保密（safe）", "news cannot be confidential (safe)", BUG),
    row(40091, Configuration, Account, "Secret 不属于这个企业", "the secret belongs to another corp", SECRET),
    row(40094, Refused, Content, "链接不合法", "a link is invalid", LINK),
    row(40123, Refused, Media, "不是真正的图片，或大小不符", "not a real picture, or of another size", PICTURE),
    row(40201, Refused, Content, "内容被反垃圾策略拒绝", "refused by the spam filter", TEMPLATE),
    row(40204, Refused, Content, "内容被反垃圾策略拒绝", "refused by the spam filter", TEMPLATE),
    row(40206, Refused, Content, "请求体过大", "the request is too large", SHORTER),
    row(41001, Token, Account, "缺少 access_token", "the access token is missing", BUG),
    row(41002, Refused, Account, "缺少企业 ID", "the corp id is missing", CORP),
    row(41004, Refused, Account, "缺少 Secret", "the secret is missing", SECRET),
    row(41006, Refused, Media, "缺少 media_id", "the media id is missing", BUG),
    row(41009, Refused, Receiver, "缺少 userid", "the userid is missing", BUG),
    row(41010, Refused, Content, "缺少链接", "the link is missing", TEMPLATE),
    row(41011, Refused, Account, "缺少 agent_id", "the agent id is missing", BUG),
    row(41016, Refused, Content, "缺少标题", "the title is missing", TEMPLATE),
    row(41017, Refused, Receiver, "缺少标签 id", "the tag id is missing", BUG),
    row(41033, Refused, Content, "缺少描述", "the description is missing", TEMPLATE),
    row(42001, Token, Account, "access_token 已过期", "the access token has expired", NOTHING),
    row(42014, Refused, Card, "task_id 不合法", "the task_id is illegal", CARD),
    row(42015, Refused, Card, "只有发送卡片的应用才能更新它", "a card can be updated only by the app that sent it", CARD),
    row(42016, Refused, Card, "task_id 不存在", "there is no such task_id", CARD),
    row(42017, Refused, Card, "按钮 key 不存在", "there is no such button key", CARD),
    row(42018, Refused, Card, "按钮 key 不合法", "a button key is illegal", CARD),
    row(42019, Refused, Card, "缺少按钮 key", "a button key is missing", CARD),
    row(42020, Refused, Card, "缺少按钮名称", "a button name is missing", CARD),
    row(42027, Refused, Card, "二级标题列表缺少 keyname", "horizontal_content_list: keyname is missing", CARD),
    row(42028, Refused, Card, "卡片缺少 url", "a url of the card is missing", CARD),
    row(42029, Refused, Card, "卡片缺少 media_id", "a media_id of the card is missing", CARD),
    row(42030, Refused, Card, "卡片缺少小程序 appid", "an appid of the card is missing", CARD),
    row(42031, Refused, Card, "卡片类型 card_type 不合法", "the card_type is illegal", CARD),
    row(42033, Refused, Card, "卡片列表项缺少标题", "a title in a list of the card is missing", CARD),
    row(42035, Refused, Card, "horizontal_content_list 超过 6 项", "horizontal_content_list has more than 6 rows", CARD),
    row(42036, Refused, Card, "vertical_content_list 超过 4 项", "vertical_content_list has more than 4 rows", CARD),
    row(42037, Refused, Card, "option_list 长度不合法", "the length of option_list is illegal", CARD),
    row(42038, Refused, Card, "按钮文字缺失或不合法", "a button text is missing or illegal", CARD),
    row(42039, Refused, Card, "按钮 key 缺失或不合法", "a button key is missing or illegal", CARD),
    row(42040, Refused, Card, "选项 id 缺失或不合法", "an option id is missing or illegal", CARD),
    row(42041, Refused, Card, "选项文字缺失或不合法", "an option text is missing or illegal", CARD),
    row(42042, Refused, Card, "jump_list 超过 3 项", "jump_list has more than 3 entries", CARD),
    row(42043, Refused, Card, "question_key 缺失或不合法", "question_key is missing or illegal", CARD),
    row(42044, Refused, Card, "卡片图片地址缺失或不合法", "card_image.url is missing or illegal", CARD),
    row(42045, Refused, Card, "card_action 缺失或不合法", "card_action is missing or illegal", CARD),
    row(42046, Refused, Card, "提交按钮的 key 缺失或不合法", "submit_button.key is missing or illegal", CARD),
    row(42047, Refused, Card, "select_list 长度不合法", "the length of select_list is illegal", CARD),
    row(42049, Refused, Card, "提交按钮的文字缺失或不合法", "submit_button.text is missing or illegal", CARD),
    row(42050, Refused, Card, "卡片列表中的 userid 不合法", "a userid in horizontal_content_list is illegal", CARD),
    row(42051, Refused, Card, "action_menu 的 key 重复", "keys of action_menu collide", CARD),
    row(42052, Refused, Card, "消息已超过可撤回的时间（24 小时）", "the message is too old to be recalled (24 h)", Remedy("无法撤回，请另发说明", "It cannot be recalled: send a correction.")),
    row(43004, Refused, Receiver, "成员未关注微信插件", "the member has not bound the WeChat plugin", RECEIVER),
    row(43009, Configuration, Account, "企业主体未认证", "the legal entity of the corp is not verified", Remedy("请管理员完成企业认证", "Have an administrator verify the corp.")),
    row(43012, Refused, Card, "交互卡片需要应用设置回调 URL", "interactive cards need a callback URL of the app", Remedy("请为应用设置回调 URL，或不使用按钮", "Set a callback URL for the app, or use no buttons.")),
    row(44001, Refused, Media, "上传的媒体内容为空", "the uploaded media is empty", BUG),
    row(44004, Refused, Content, "文本内容为空", "the text is empty", TEMPLATE),
    row(45001, Refused, Media, "媒体文件过大", "the media is too large", PICTURE),
    row(45002, Refused, Content, "消息内容过长", "the content is too long", SHORTER),
    row(45007, Refused, Media, "语音超过 60 秒", "the voice is longer than 60 s", PICTURE),
    row(45008, Refused, Content, "图文超过 8 条", "more than 8 articles", SHORTER),
    row(45009, BackOff, System, "调用频率超限", "called too often", Remedy("请查找是谁在频繁调用；帮助页有自助解封工具", "Find who calls so often; the help page of WeCom links a tool that lifts the ban.")),
    row(45029, Refused, System, "返回内容过大", "the reply would be too large", Remedy("请缩小查询范围", "Ask in smaller parts.")),
    row(45031, Configuration, Account, "Secret 存在风险，已不可用", "the secret is considered unsafe", Remedy("请重置应用的 Secret 并更新配置", "Reset the secret of the app and update the configuration.")),
    row(45032, Refused, Content, "作者名过长", "the author is too long", SHORTER),
    row(45033, Transient, System, "并发调用过多", "too many parallel calls", NOTHING),
    row(45034, Refused, Content, "链接缺少协议头（http:// 或 https://）", "a link has no scheme (http:// or https://)", LINK),
    row(46004, Refused, Receiver, "成员不存在", "the member does not exist", RECEIVER),
    row(48001, Configuration, Account, "接口未授权", "the API is not authorised", RIGHTS),
    row(48002, Configuration, Account, "应用无权调用此接口", "the app may not use this API", Remedy("请使用自建应用的 Secret；群聊接口要求应用的可见范围是根部门", "Use the secret of a self-built app; group chats need the root department as its visible scope.")),
    row(48004, Configuration, Account, "授权已被撤销", "the authorisation was withdrawn", RIGHTS),
    row(48005, Refused, Account, "接口已停用", "the API was retired", Remedy("请升级 wegraf", "Upgrade wegraf.")),
    row(48006, Configuration, Account, "应用长期未使用，接口权限已被收回", "the rights were withdrawn after long disuse", ENABLE),
    row(48009, Configuration, Account, "通讯录同步 Secret 不能从新的 IP 调用", "the address-book secret may not be used from a new address", Remedy("请使用自建应用的 Secret", "Use the secret of a self-built app.")),
    row(49008, Configuration, Route, "群聊已解散", "the group was dissolved", CHAT),
    row(50001, Configuration, Account, "回调域名不可信", "the redirect domain is not trusted", Remedy("请在管理后台设置可信域名", "Set the trusted domain in the admin console.")),
    row(50002, Refused, Receiver, "成员不在权限范围内", "the member is outside the rights of the app", SCOPE),
    row(50003, Configuration, Account, "应用已停用", "the app is disabled", ENABLE),
    row(50006, Configuration, Account, "系统应用已停用", "the system app is disabled", ENABLE),
    row(60003, Refused, Receiver, "部门不存在", "the department does not exist", RECEIVER),
    row(60011, Refused, Receiver, "对指定的成员、部门或标签没有权限", "no right to the named members, departments or tags", SCOPE),
    row(60020, Configuration, Account, "来源 IP 不在企业可信 IP 中", "the address of the caller is not a trusted IP", TRUSTED_IP),
    row(60021, Refused, Receiver, "userid 不在应用可见范围内", "a userid is outside the visible scope", SCOPE),
    row(60030, Refused, Receiver, "超出应用的可见范围", "beyond the scope of the app", SCOPE),
    row(60031, Configuration, Account, "应用被禁止调用接口", "the app is barred from the API", Remedy("请联系管理员或企业微信客服", "Ask the administrator or the support of WeCom.")),
    row(60111, Refused, Receiver, "userid 不存在、已离职或不在可见范围内", "a userid does not exist, has left or is out of scope", RECEIVER),
    row(60123, Refused, Receiver, "部门 id 不存在", "the department id does not exist", RECEIVER),
    row(60140, Refused, Card, "response_code 无效、已使用或已过期", "the response_code is invalid, used or expired", Remedy("卡片不能再更新，会另发一条消息", "The card can no longer be updated: a message is sent instead.")),
    row(60206, Refused, Content, "该消息类型仅限第三方应用", "this kind of message is only for third-party apps", BUG),
    row(60207, Refused, Content, "该消息类型仅限第三方应用", "this kind of message is only for third-party apps", BUG),
    row(60208, Refused, Content, "该消息类型仅限第三方应用", "this kind of message is only for third-party apps", BUG),
    row(81011, Refused, Receiver, "没有该标签的权限", "no right to the tag", Remedy("请使用应用自己创建的标签", "Use a tag that the app created.")),
    row(81012, Refused, Receiver, "没有指定接收人", "no receiver was named", RECEIVER),
    row(81013, Refused, Receiver, "接收人全部无效或不在可见范围内，没有人收到", "every receiver is invalid or out of scope: no one got it", Remedy("请立即更正接收人，并检查应用的可见范围", "Correct the receivers now, and check the visible scope of the app.")),
    row(81026, BackOff, System, "该功能正在维护", "the function is under maintenance", NOTHING),
    row(82001, Refused, Receiver, "成员、部门、标签都为空", "users, departments and tags are all empty", RECEIVER),
    row(82002, Refused, Receiver, "部门超过 100 个", "more than 100 departments", SPLIT),
    row(82003, Refused, Receiver, "标签超过 100 个", "more than 100 tags", SPLIT),
    row(82004, Refused, Content, "内容可能使客户端崩溃", "the content might crash clients", TEMPLATE),
    row(82101, Refused, Card, "更新卡片的对象为空", "the update names no one", BUG),
    row(82102, Refused, Card, "更新卡片的对象没有收到过该卡片", "the update names people who never got the card", BUG),
    row(86001, Refused, Route, "chatid 不合法", "the chatid is illegal", CHAT_FIELDS),
    row(86003, Configuration, Route, "chatid 对应的群聊不存在", "there is no chat with this chatid", CHAT),
    row(86004, Refused, Route, "群名不合法", "the name of the chat is illegal", CHAT_FIELDS),
    row(86005, Refused, Route, "群主不合法", "the owner of the chat is illegal", CHAT_FIELDS),
    row(86006, Refused, Route, "群成员过多或过少（2–2000）", "too many or too few members (2 to 2000)", CHAT_FIELDS),
    row(86007, Refused, Route, "群成员不合法", "a member of the chat is illegal", CHAT_FIELDS),
    row(86008, Configuration, Route, "该群聊不是这个应用创建的", "this app did not create the chat", CHAT),
    row(86101, Configuration, Route, "只有群主可以操作", "only the owner of the chat may do this", Remedy("请由群主操作，或重新建群", "Have the owner do it, or create the chat again.")),
    row(86201, Refused, Route, "缺少 chatid", "the chatid is missing", CHAT_FIELDS),
    row(86202, Refused, Route, "缺少群名", "the name of the chat is missing", CHAT_FIELDS),
    row(86203, Refused, Route, "缺少群主", "the owner of the chat is missing", CHAT_FIELDS),
    row(86204, Refused, Route, "缺少群成员", "the members of the chat are missing", CHAT_FIELDS),
    row(86205, Refused, Route, "chatid 过长", "the chatid is too long", CHAT_FIELDS),
    row(86206, Refused, Route, "chatid 数值过大", "the chatid is too big a number", CHAT_FIELDS),
    row(86207, Refused, Route, "群主不在群成员中", "the owner is not among the members", CHAT_FIELDS),
    row(86214, Refused, Route, "群聊类型不合法", "the type of the chat is illegal", CHAT_FIELDS),
    row(86215, Refused, Route, "chatid 已存在", "the chatid exists already", CHAT_FIELDS),
    row(86216, Refused, Route, "群成员 id 不合法", "a member id is illegal", CHAT_FIELDS),
    row(86217, Refused, Route, "发送者不在群里", "the sender is not a member of the chat", CHAT_FIELDS),
    row(86220, Refused, Route, "群聊参数不合法", "a parameter of the chat is illegal", CHAT_FIELDS),
    row(86224, Refused, Route, "该群受限，不能使用此接口", "this API is not for restricted groups", CHAT_FIELDS),
    row(90201, Refused, Content, "小程序通知的内容项过多", "mini-program notice: too many items", TEMPLATE),
    row(90202, Refused, Content, "小程序通知的 key 过长", "mini-program notice: a key is too long", TEMPLATE),
    row(90203, Refused, Content, "小程序通知的 value 过长", "mini-program notice: a value is too long", TEMPLATE),
    row(90204, Refused, Content, "小程序通知的 page 不合法", "mini-program notice: the page is illegal", TEMPLATE),
    row(90206, Refused, Content, "小程序未关联到应用", "mini-program notice: not linked to the app", TEMPLATE),
    row(90207, Refused, Content, "小程序 appid 不合法", "mini-program notice: the appid is illegal", TEMPLATE),
    row(90208, Refused, Content, "小程序 appid 与应用不符", "mini-program notice: the appid is of another app", TEMPLATE),
    row(92000, Refused, Receiver, "成员不在可见范围内", "the member is outside the scope", SCOPE),
    row(93000, Configuration, Route, "webhook 的 key 无效，或消息推送已被移出群", "the webhook key is invalid, or the webhook was removed from the group", WEBHOOK),
    row(93001, Configuration, Route, "不能向这个会话推送", "no pushes into this conversation", Remedy("请把机器人加入该群，并在群里 @ 它一次", "Add the bot to the group and mention it there once.")),
    row(93004, Configuration, Route, "消息推送已被停用", "the webhook is disabled", Remedy("请在群设置中启用它", "Enable it in the settings of the group.")),
    row(93006, Configuration, Route, "会话 id 不合法", "the id of the conversation is illegal", RECEIVER),
    row(93008, Configuration, Route, "不在该群中", "not a member of the group", WEBHOOK),
    row(93017, Refused, Content, "消息内容为空", "the content is empty", TEMPLATE),
    row(93018, Refused, Media, "图片过大", "the picture is too large", PICTURE),
    row(93019, Configuration, Route, "机器人 id 无效", "the bot id is invalid", BOT),
    row(301_002, Configuration, Account, "access_token 与 agent_id 不属于同一应用", "the token has no right to this agent id", AGENT),
    row(301_007, Configuration, Account, "企业已解散或被封禁", "the corp was dissolved or banned", CORP),
    row(301_017, Refused, Media, "语音只支持 AMR 格式", "voice must be AMR", PICTURE),
    row(301_019, Refused, Media, "图片的 md5 不符", "the md5 does not match", BUG),
    row(301_021, Refused, Receiver, "至少有一个 userid 不存在", "at least one userid is unknown", RECEIVER),
    row(301_042, Configuration, Account, "来源 IP 不在白名单中", "the address of the caller is not on the white list", TRUSTED_IP),
    row(701_008, Refused, Receiver, "成员没有接口许可", "the members have no interface licence", LICENCE),
    row(701_099, Refused, Receiver, "成员没有接口许可", "the members have no interface licence", LICENCE),
    row(846_605, Refused, Card, "req_id 无效：已回复过或已过期", "the req_id is not valid: answered already or too old", Remedy("无需处理，会另发一条消息", "Nothing: a message is sent instead.")),
    row(846_608, Refused, Card, "流式消息已过期", "the stream has expired", Remedy("无需处理，会另发一条消息", "Nothing: a message is sent instead.")),
    row(853_000, Configuration, Account, "机器人的 Secret 错误", "the secret of the bot is wrong", BOT),
    row(2_000_002, Configuration, Account, "CorpId 参数无效", "the CorpId parameter is invalid", CORP),
];
