"""Settings: read once from the environment and the command line, then passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where things are and what is allowed."""

    home: Path  # projects live here
    assets: Path  # what came with the program: sample, models, help
    presets: Path
    network: bool = False  # downloads may be asked for
    embedder: str = "built-in"  # or a sentence-transformers folder or hub id
    index: str = ""  # where indexes lie instead of the projects' folders, such as s3://bucket/ragtune
    index_options: str = ""  # JSON of what that store needs (LanceDB's storage_options)
    servers: tuple[str, ...] = ()  # model servers on other computers that may be shown passages, "host:port"
    endpoint_key: str = field(default="", repr=False)  # for these
    file_limit: int = 200 * 1024 * 1024  # bytes of one uploaded file

    @classmethod
    def from_env(cls, environ: Mapping[str, str], home: str | None = None) -> Settings:
        """Settings of this start; ``home`` (the --home option) wins over ``RAGTUNE_HOME``."""
        root = Path(__file__).resolve().parent.parent
        chosen = home or environ.get("RAGTUNE_HOME") or "~/RAGTune"
        return cls(
            home=Path(chosen).expanduser().absolute(),
            assets=root / "assets",
            presets=root / "presets",
            embedder=environ.get("RAGTUNE_EMBEDDER") or "built-in",
            index=environ.get("RAGTUNE_INDEX") or "",
            index_options=environ.get("RAGTUNE_INDEX_OPTIONS") or "",
            servers=tuple(environ.get("RAGTUNE_SERVERS", "").lower().replace(",", " ").split()),
            endpoint_key=environ.get("RAGTUNE_ENDPOINT_KEY", "").strip(),
            network=environ.get("RAGTUNE_NETWORK", "").lower() in ("1", "on", "true", "yes"),
        )
