#!/bin/bash
# A web server of a few lines: shows that any program will do that listens on PORT.
cd "$(dirname "$0")" || exit 1
export PORT=${PORT:-8080}
exec perl server.pl
