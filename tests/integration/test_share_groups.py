"""Share groups (KIP-932) with Java's share consumer and admin client."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.test_other_languages import JAVA_CLIENT
from tests.support import jars

JAVA = Path(__file__).parent / "java" / "ShareGroups.java"


def test_java(bootstrap: str) -> None:
    libs = jars.fetch("kafka-clients-4.4.0", JAVA_CLIENT)
    command = ["java", "-Xmx256M", "-cp", f"{libs}/*", str(JAVA), bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all held" in done.stdout
