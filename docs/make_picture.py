"""Draw ``docs/live.svg``: the live view after a real demo of some seconds.

Run it from the top: ``.venv/bin/python docs/make_picture.py``
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from rich.console import Console

from eds_core.demo import DemoOptions, run_demo
from eds_core.live import view
from eds_core.pulse import Pulse

_FONTS = re.compile(r"@font-face\s*{.*?}", re.DOTALL)  # loaded from elsewhere
_EVENTS, _RATE = 2_000, 200.0


def main() -> None:
    """Run the demo and keep its last frame."""
    directory = Path(tempfile.mkdtemp())
    url = f"sqlite:///{directory / 'shop.db'}"
    pulse = Pulse()
    frames: list[str] = []

    async def run() -> None:
        options = DemoOptions(directory / "sandbox", url, _EVENTS, _RATE)
        demo = asyncio.create_task(run_demo(options, pulse, lambda _: None))
        while not demo.done():
            await asyncio.sleep(0.25)
            if pulse.events < _EVENTS:
                frames[:] = [_draw(pulse)]
        demo.result()

    asyncio.run(run())
    Path(__file__).with_name("live.svg").write_text(frames[-1], encoding="utf-8")


def _draw(pulse: Pulse) -> str:
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=92, file=nowhere)
        console.print(
            view(pulse, "sqlite:////home/me/shop.db", "http://127.0.0.1:8080/")
        )
        return _FONTS.sub("", console.export_svg(title="eds demo"))


main()
