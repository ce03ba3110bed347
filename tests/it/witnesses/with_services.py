"""Sends through apprise to each service that it knows and the gateway imitates. Usage: with_services.py GATEWAY TOKEN

Prints for each service whether apprise is satisfied: by the answer to the token, and to a wrong one."""

import json
import sys

import requests
from apprise import Apprise, AppriseAsset, NotifyType, PersistentStoreMode
from apprise.plugins.bark import NotifyBark
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.gotify import NotifyGotify
from apprise.plugins.lark import NotifyLark
from apprise.plugins.mattermost import NotifyMattermost
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.pushplus import NotifyPushplus
from apprise.plugins.rocketchat import NotifyRocketChat
from apprise.plugins.serverchan import NotifyServerChan
from apprise.plugins.slack import NotifySlack
from apprise.plugins.workflows import NotifyWorkflows

gateway, token = sys.argv[1:3]
host = gateway.split("//")[1]
# The addresses are class attributes, where they are not a part of apprise's own URL. It waits between requests of its own
# accord, which a test need not.
for plugin in (
    NotifyBark, NotifyDingTalk, NotifyDiscord, NotifyFeishu, NotifyGotify, NotifyLark, NotifyMattermost, NotifyNtfy,
    NotifyPushplus, NotifyRocketChat, NotifyServerChan, NotifySlack, NotifyWorkflows,
):
    plugin.request_rate_per_sec = 0
NotifyDingTalk.notify_url = gateway + "/robot/send?access_token={token}"
NotifyDiscord.notify_url = gateway + "/api/webhooks"
NotifyFeishu.notify_url = gateway + "/open-apis/bot/v2/hook/{token}/"
NotifyLark.notify_url = gateway + "/open-apis/bot/v2/hook/"
NotifyPushplus.notify_url = gateway + "/send"
NotifyServerChan.notify_url = gateway + "/{token}.send"
NotifySlack.webhook_url = gateway + "/services"

# Workflows are always called by https, which the gateway of a test does not speak.
post = requests.post
requests.post = lambda url, **rest: post(url.replace("https://127.", "http://127."), **rest)

services = {
    "dingtalk": "dingtalk://{token}",
    "feishu": "feishu://{token}",
    "lark": "lark://{token}",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/{token}",
    "mattermost": "mmost://{host}/{token}",
    "rocketchat": "rocket://5f0000000000000000000001%2F{token}@{host}/?mode=webhook",
    "teams": "workflows://{host}/0123456789abcdef/{token}",
    "discord": "discord://123456789012345678/{token}",
    "serverchan": "schan://{token}",
    "pushplus": "pushplus://{token}",
    "bark": "bark://{host}/{token}",
    "ntfy": "ntfy://{host}/{token}?priority=max",
    "gotify": "gotify://{host}/{token}",
}
asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY)


def send(name, token):
    client = Apprise(asset=asset)
    assert client.add(services[name].format(host=host, token=token)), name
    return bool(client.notify(title=f"磁盘将满 {name}", body=f"已用 97 % {name}", notify_type=NotifyType.INFO))


print(json.dumps({
    "right": {name: send(name, token) for name in services},
    "wrong": {name: send(name, token[::-1]) for name in services},
}))
