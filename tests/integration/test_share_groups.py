"""Share groups (KIP-932) with Java's share consumer and admin client, and what they do here beyond Kafka."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.integration.test_other_languages import JAVA_CLIENT
from tests.support import jars

JAVA = Path(__file__).parent / "java" / "ShareGroups.java"


def test_java(bootstrap: str) -> None:
    libs = jars.fetch("kafka-clients-4.4.0", JAVA_CLIENT)
    beyond = [] if "BARNABAS_TEST_BOOTSTRAP" in os.environ else ["beyond"]
    command = ["java", "-Xmx256M", "-cp", f"{libs}/*", str(JAVA), bootstrap, *beyond]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all held" in done.stdout
