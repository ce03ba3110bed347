"""Sends through clients that know one service each. Usage: with_clients_of_services.py GATEWAY TOKEN

Prints what each was answered, for the token and for a wrong one."""

import json
import sys

import pymsteams
import requests
import serverchan_sdk
from dingtalkchatbot.chatbot import DingtalkChatbot
from discord_webhook import DiscordEmbed, DiscordWebhook
from gotify import Gotify
from matterhook import Webhook
from slack_sdk.webhook import WebhookClient

gateway, token = sys.argv[1:3]

# Its address is fixed in its code.
post = requests.post
requests.post = lambda url, *rest, **named: post(url.replace("https://sctapi.ftqq.com", gateway), *rest, **named)


def words(name):
    return f"磁盘将满 {name}", f"已用 97 % {name}"


def slack(token):
    title, text = words("slack_sdk")
    header = {"type": "header", "text": {"type": "plain_text", "text": title}}
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    answer = WebhookClient(f"{gateway}/services/T000/B000/{token}").send(text=title, blocks=[header, section])
    return [answer.status_code, answer.body]


def dingtalk(token):
    title, text = words("dingtalkchatbot")
    robot = DingtalkChatbot(f"{gateway}/robot/send?access_token={token}", secret="SECexample0000")
    return robot.send_markdown(title=title, text=f"#### {title}\n> {text}", at_mobiles=["13800001111"])["errcode"]


def discord(token):
    title, text = words("discord_webhook")
    hook = DiscordWebhook(f"{gateway}/api/webhooks/123456789012345678/{token}", username="no part of the words")
    hook.add_embed(DiscordEmbed(title=title, description=text, color="ff0000"))
    answer = hook.execute()
    return [answer.status_code, answer.json().get("code")]


def teams(token):
    title, text = words("pymsteams")
    card = pymsteams.connectorcard(f"{gateway}/teams/{token}")
    card.title(title)
    card.text(text)
    card.addLinkButton("runbook", "https://wiki.example.com/disk")
    try:
        return [card.send(), card.last_http_response.text]
    except pymsteams.TeamsWebhookException as refused:
        return json.loads(str(refused))["error"]["code"]


def mattermost(token):
    title, text = words("matterhook")
    try:
        Webhook(gateway, token, username="no part of the words").send(f"{title}\n{text}")
        return True
    except Exception as refused:
        return json.loads(str(refused))["id"]


def serverchan(token):
    title, text = words("serverchan_sdk")
    return serverchan_sdk.sc_send(token, title, text)["code"]


def gotify(token):
    title, text = words("gotify")
    try:
        answer = Gotify(base_url=gateway, app_token=token).create_message(text, title=title, priority=8)
        return [answer["title"], answer["priority"]]
    except Exception as refused:
        return type(refused).__name__


clients = [slack, dingtalk, discord, teams, mattermost, serverchan, gotify]
print(json.dumps({
    "right": {client.__name__: client(token) for client in clients},
    "wrong": {client.__name__: client(token[::-1]) for client in clients},
}))
