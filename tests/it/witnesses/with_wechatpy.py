"""Uses wechatpy's client of WeCom: messages, group chats, files, people. Usage: with_wechatpy.py SIMULATOR PICTURE"""

import json
import sys
import warnings

# It calls its own deprecated methods.
warnings.simplefilter("ignore", DeprecationWarning)

from wechatpy.enterprise import WeChatClient
from wechatpy.exceptions import WeChatClientException

simulator, picture = sys.argv[1:]
AGENT = 1000002


class Client(WeChatClient):
    API_BASE_URL = simulator + "/cgi-bin/"

    def fetch_access_token(self):
        # The original writes the address out.
        return self._fetch_access_token(
            url=self.API_BASE_URL + "gettoken",
            params={"corpid": self.corp_id, "corpsecret": self.secret},
        )


def errcode(call):
    try:
        call()
    except WeChatClientException as error:
        return error.errcode
    return 0


client = Client("wwsimcorp0000001", "sim-app-secret")
message, chat, user = client.message, client.appchat, client.user
answers = {}

answers["text"] = message.send_text(AGENT, ["lisi", "nobody"], "文字 <1 & 2>")
message.send_markdown(AGENT, "lisi", "**粗体** <font color=\"warning\">红</font>")
message.send_text_card(AGENT, ["lisi"], "标题", "<div class=\"gray\">说明</div>", "https://example.com/1", btntxt="详情")
message.send_articles(AGENT, "lisi", [{
    "title": "图文", "description": "说明", "url": "https://example.com/2", "image": simulator + "/_simulator/sample.png",
}])
answers["card"] = message.send(AGENT, "lisi", msg={"msgtype": "template_card", "template_card": {
    "card_type": "text_notice", "main_title": {"title": "卡片", "desc": "说明"},
    "card_action": {"type": 1, "url": "https://example.com/3"},
}})
with open(picture, "rb") as file:
    answers["upload"] = client.media.upload("image", file)
with open(picture, "rb") as file:
    answers["uploadimg"] = client.media.upload_img(file)
# Its own download writes the address out, too.
kept = client.get("media/get", params={"media_id": answers["upload"]["media_id"]}).content
with open(picture, "rb") as file:
    answers["kept"] = kept == file.read()
message.send_image(AGENT, "lisi", answers["upload"]["media_id"])

answers["create"] = chat.create("witness1", "见证群", "daixuan", ["daixuan", "lisi", "wangwu"])
chat.update("witness1", name="见证群二", del_user_list=["wangwu"])
answers["chat"] = chat.get("witness1")
chat.send_text("witness1", "群里的文字")
chat.send("witness1", "markdown", content="群里的 **粗体**")

answers["user"] = user.get("ZhangSan")
answers["people"] = user.list(2, simple=True)
answers["departments"] = client.department.get()
answers["tag"] = client.tag.get_users(3)
answers["agent"] = client.agent.get(AGENT)
answers["addresses"] = client.misc.get_wechat_ips()

answers["errcodes"] = {
    "nobody": errcode(lambda: message.send_text(AGENT, "nobody", "x")),
    "no such chat": errcode(lambda: chat.get("none")),
    "other agent": errcode(lambda: message.send_text(1000003, "lisi", "x")),
    "wrong secret": errcode(lambda: Client("wwsimcorp0000001", "wrong").user.get("lisi")),
    "wrong corp": errcode(lambda: Client("wwnone", "sim-app-secret").user.get("lisi")),
}
print(json.dumps(answers, ensure_ascii=False))
