"""Sends through apprise: a group's webhook and an app's message. Usage: with_apprise.py SIMULATOR"""

import json
import sys

from apprise import Apprise, AppriseAsset, PersistentStoreMode
from apprise.plugins.wechat import NotifyWeChat
from apprise.plugins.wecombot import NotifyWeComBot

simulator = sys.argv[1]
# The addresses are class attributes. apprise waits between requests of its own accord, which a test need not.
NotifyWeComBot.notify_url = simulator + "/cgi-bin/webhook/send?key={key}"
NotifyWeComBot.request_rate_per_sec = 0
NotifyWeChat.token_url = simulator + "/cgi-bin/gettoken"
NotifyWeChat.notify_url = simulator + "/cgi-bin/message/send"
NotifyWeChat.request_rate_per_sec = 0

# No token is to be left over from another run.
asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY)


def send(url, **message):
    client = Apprise(asset=asset)
    assert client.add(url), url
    return bool(client.notify(**message))


app = "wechat://wwsimcorp0000001:{secret}@1000002/{targets}"
print(json.dumps({
    "webhook": send("wecombot://sim-ops-group", title="磁盘将满", body="db-1 已用 97 %"),
    "members": send(app.format(secret="sim-app-secret", targets="lisi/@wangwu"), title="磁盘将满", body="致 <成员>"),
    "department_and_tag": send(app.format(secret="sim-app-secret", targets="%232/%2B3"), body="致部门和标签"),
    "markdown": send(app.format(secret="sim-app-secret", targets="lisi") + "?format=markdown", body="**粗体**"),
    "wrong_secret": send(app.format(secret="wrong", targets="lisi"), body="不会送达"),
    "nobody": send(app.format(secret="sim-app-secret", targets="nobody"), body="不会送达"),
}))
