"""`barnabas completion SHELL`: the script that a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from barnabas.cli.root import root


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands and options in SHELL.

    \b
      bash   echo 'eval "$(barnabas completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(barnabas completion zsh)"' >> ~/.zshrc
      fish   barnabas completion fish > ~/.config/fish/completions/barnabas.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(root, {}, "barnabas", "_BARNABAS_COMPLETE").source())
