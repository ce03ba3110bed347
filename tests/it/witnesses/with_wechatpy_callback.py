"""An app's server whose encryption is wechatpy's. Usage: with_wechatpy_callback.py SIMULATOR

It has itself verified, is written to and clicked at, answers passively, and prints what it read.
"""

import json
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import xmltodict
from wechatpy.enterprise.crypto import WeChatCrypto

simulator = sys.argv[1]
APP, CORP = 1000002, "wwsimcorp0000001"
# Its last character has bits left over, which a strict decoder refuses.
SERVER = {"token": "witnesstoken", "encoding_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"}
crypto = WeChatCrypto(SERVER["token"], SERVER["encoding_aes_key"], CORP)
read = []
replies = {
    "text": "<xml><MsgType>text</MsgType><Content><![CDATA[收到]]></Content></xml>",
    "ack": "<xml><MsgType>update_button</MsgType><Button><ReplaceName><![CDATA[李四 已认领]]></ReplaceName></Button></xml>",
    "undo": """<xml><MsgType>update_template_card</MsgType><TemplateCard><CardType><![CDATA[text_notice]]></CardType>
        <MainTitle><Title><![CDATA[已撤销]]></Title></MainTitle>
        <HorizontalContentList><KeyName>主机</KeyName><Value>db-1</Value></HorizontalContentList>
        <HorizontalContentList><KeyName>集群</KeyName><Value>sh-1</Value></HorizontalContentList>
        <CardAction><Type>1</Type><Url><![CDATA[https://example.com/?a=1&b=2]]></Url></CardAction></TemplateCard></xml>""",
}


class Handler(BaseHTTPRequestHandler):
    def query(self):
        return dict(parse_qsl(urlsplit(self.path).query))

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        asked = self.query()
        self.answer(crypto.check_signature(asked["msg_signature"], asked["timestamp"], asked["nonce"], asked["echostr"]))

    def do_POST(self):
        asked = self.query()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        plain = crypto.decrypt_message(body, asked["msg_signature"], asked["timestamp"], asked["nonce"])
        xml = xmltodict.parse(plain)["xml"]
        read.append(xml)
        reply = replies[xml.get("EventKey") or xml["MsgType"]]
        self.answer(crypto.encrypt_message(reply, asked["nonce"], asked["timestamp"]))

    def log_message(self, *_):
        pass


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{simulator}/_simulator/{path}", data)) as answer:
        return json.load(answer)


def answered(count):
    """The replies, when so many callbacks are done; the test ends a script that is late."""
    while True:
        callbacks = control("callbacks")["callbacks"]
        if len(callbacks) >= count and all(one["done"] for one in callbacks):
            return [one.get("reply") for one in callbacks]
        time.sleep(0.01)


def api(path, body):
    with urllib.request.urlopen(urllib.request.Request(f"{simulator}/cgi-bin/{path}", json.dumps(body).encode())) as answer:
        return json.load(answer)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
where = {**SERVER, "url": f"http://127.0.0.1:{server.server_port}/wecom?app=ops"}
verified = control("callbacks/verify", {"agent_id": APP, "callback_server": where})

control("says", {"agent_id": APP, "user": "lisi", "text": "状态 <1 & 2>"})
answered(1)
with urllib.request.urlopen(f"{simulator}/cgi-bin/gettoken?corpid={CORP}&corpsecret=sim-app-secret") as answer:
    token = json.load(answer)["access_token"]
card = {
    "card_type": "button_interaction", "task_id": "wechatpy1", "main_title": {"title": "磁盘将满"},
    "button_selection": {"question_key": "dur", "option_list": [{"id": "1h", "text": "1 小时"}]},
    "button_list": [{"text": "认领", "key": "ack"}],
    "action_menu": {"desc": "更多", "action_list": [{"text": "撤销", "key": "undo"}]},
}
api(f"message/send?access_token={token}", {
    "touser": "lisi|wangwu", "msgtype": "template_card", "agentid": APP, "template_card": card,
})
message = control("messages?user=lisi")["messages"][-1]["id"]
control("clicks", {"message": message, "user": "lisi", "key": "ack"})
answered(2)
control("clicks", {"message": message, "user": "lisi", "key": "undo"})
kinds = [reply.get("kind", reply) for reply in answered(3)]
print(json.dumps({"verified": verified, "read": read, "replies": kinds}, ensure_ascii=False))
