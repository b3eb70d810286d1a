import json
import os

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.after_request
def log(response):
    print(request.method, request.path, response.status_code, flush=True)
    return response


@app.get("/")
def hello():
    return f"Hello from Flask, instance {os.environ.get('CF_INSTANCE_INDEX', '0')}\n"


@app.get("/env")
def env():
    names = ("PORT", "MEMORY_LIMIT", "CF_INSTANCE_INDEX")
    application = json.loads(os.environ.get("VCAP_APPLICATION", "{}"))
    return jsonify({**{name: os.environ.get(name) for name in names}, "name": application.get("name")})
