"""The Python port of the bot's SDK. Usage: with_aibot_python.py SIMULATOR

People speak and click through the simulator's control API; what the SDK makes of it is printed.
"""

import asyncio
import json
import sys
import urllib.request
import warnings

# It uses an older name of its socket library.
warnings.simplefilter("ignore", DeprecationWarning)

import aibot.ws
from aibot.client import WSClient
from aibot.types import WSClientOptions

simulator = sys.argv[1]
# It always speaks TLS, which the simulator does not.
aibot.ws._SSL_CONTEXT = None


class Silent:
    def debug(self, *_): pass
    info = warn = error = debug


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{simulator}/_simulator/{path}", data)) as answer:
        return json.load(answer)


def following(client, name):
    """The next event of that name."""
    future = asyncio.get_running_loop().create_future()
    client.once(name, lambda *given: future.done() or future.set_result(given[0] if given else None))
    return future


async def connected():
    client = WSClient(WSClientOptions(
        bot_id="sim-bot", secret="sim-bot-secret", ws_url=simulator.replace("http", "ws") + "/ws",
        heartbeat_interval=100, logger=Silent(),
    ))
    authenticated = following(client, "authenticated")
    await client.connect()
    await authenticated
    return client


def card(label=None):
    made = {
        "card_type": "button_interaction", "task_id": "python1", "main_title": {"title": "磁盘将满"},
        "button_list": [{"text": "认领", "style": 1, "key": "ack"}],
    }
    return {**made, "replace_text": label} if label else made


async def main():
    said = {}
    bot = await connected()
    asked = following(bot, "message.text")
    await asyncio.to_thread(control, "says", {"bot": "sim-bot", "user": "wangwu", "text": "谁在值班"})
    said["text"] = (await asked)["body"]["text"]["content"]
    sent = await bot.send_message("wangwu", {"msgtype": "markdown", "markdown": {"content": "张三"}})
    said["markdown"] = sent["errcode"]
    sent = await bot.send_message("wangwu", {"msgtype": "template_card", "template_card": card()})
    said["card"] = sent["errcode"]

    inbox = await asyncio.to_thread(control, "messages?bot=sim-bot/wangwu")
    clicked = following(bot, "event.template_card_event")
    press = {"message": inbox["messages"][-1]["id"], "user": "wangwu", "key": "ack"}
    await asyncio.to_thread(control, "clicks", press)
    click = await clicked
    said["click"] = click["body"]["event"]["template_card_event"]
    said["updated"] = (await bot.update_template_card(click, card("王五 已认领")))["errcode"]

    # It leaves when two heartbeats have not been answered.
    while len((await asyncio.to_thread(control, "frames?cmd=ping&direction=out"))["frames"]) < 3:
        await asyncio.sleep(0.01)
    said["alive"] = bot.is_connected
    evicted = following(bot, "event.disconnected_event")
    gone = following(bot, "disconnected")
    newer = await connected()
    said["driven_out"] = (await evicted)["body"]["event"]
    # Unlike the official one it would come back and drive the newer out in turn.
    bot.disconnect()
    said["newer"] = newer.is_connected
    newer.disconnect()
    gone.cancel()
    print(json.dumps(said, ensure_ascii=False))


asyncio.run(main())
