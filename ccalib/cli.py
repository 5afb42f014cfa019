"""The command line: `ccalib encode|decode|info|train|evaluate|rulers|ablation|doctor`, also `python -m ccalib`.

Exit codes: 0 done; 1 bad input (one line on standard error says what to do); 2 wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from ccalib import CcaError, __version__

COMMANDS = {
    "encode": ("files.command", "images to .cca files"),
    "decode": ("files.command", ".cca files to images"),
    "info": ("files.command", "what a .cca file holds, to the byte"),
    "train": ("training.command", "train a codec on a folder of photographs"),
    "evaluate": ("evaluation.command", "rate and distortion on a folder, beside other codecs"),
    "rulers": ("evaluation.ruler_command", "fit entropy models to frozen weights, and measure with them"),
    "ablation": ("evaluation.ablation_command", "train and compare the arms of the ablation"),
    "doctor": ("doctor", "check the installation and say what to do"),
}


def parser_for(commands: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ccalib", description="A course in learned image compression, and its codec.")
    parser.add_argument("--version", action="version", version=f"ccalib {__version__}")
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (home, text) in COMMANDS.items():
        kind = argparse.RawDescriptionHelpFormatter
        child = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=kind)
        if name in commands:
            module = importlib.import_module(f"ccalib.{home}")
            child.epilog = getattr(module, "EPILOG", None)
            child.set_defaults(handler=getattr(module, f"run_{name}", None) or module.run)
            (getattr(module, f"add_{name}", None) or module.add_arguments)(child)
    return parser


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    named = [a for a in argv if a in COMMANDS][:1]
    if hasattr(sys.stdout, "reconfigure"):  # names of files, and arrows, that a terminal's encoding may not have
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parser_for(named).parse_args(argv)
    try:
        return args.handler(args)
    except (CcaError, OSError) as error:  # OSError: a folder that can't be read, a name that is too long
        print(f"ccalib {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"ccalib {args.command}: stopped; what was finished is kept", file=sys.stderr)
        return 130
