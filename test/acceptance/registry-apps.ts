import { goModule, goSum, packageName } from './private-registry.ts';

export type RegistryApp = {
  readonly name: string;
  /** Where its package lies on the registry. */
  readonly path: RegExp;
  readonly files: Readonly<Record<string, string>>;
};

/** An app per language that answers with what the one package of its registry says. */
export const registryApps: readonly RegistryApp[] = [
  {
    name: 'npm',
    path: /\/npm\/.*\.tgz$/,
    files: {
      'package.json': JSON.stringify({
        dependencies: { [packageName]: '1.0.0' },
        scripts: { start: 'node server.js' },
      }),
      'server.js': `const text = require('${packageName}')
        require('http').createServer((_, answer) => answer.end(text)).listen(process.env.PORT)\n`,
    },
  },
  {
    name: 'pip',
    path: /\/pip\/.*\.whl$/,
    files: {
      'requirements.txt': `${packageName}==1.0.0\n`,
      Procfile: 'web: python app.py\n',
      'app.py': `import os, http.server
from ${packageName.replace('-', '_')} import text
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
http.server.HTTPServer(('', int(os.environ['PORT'])), Answer).serve_forever()
`,
    },
  },
  {
    name: 'bundler',
    path: /\/gems\/gems\/.*\.gem$/,
    files: {
      Gemfile: `source 'https://gems.test'\ngem '${packageName}'\n`,
      'app.rb': `require 'bundler/setup'
require 'socket'
require '${packageName}'
server = TCPServer.new('0.0.0.0', ENV['PORT'].to_i)
loop do
  client = server.accept
  client.readpartial(4096)
  client.write "HTTP/1.1 200 OK\\r\\nContent-Length: #{GREETING.bytesize}\\r\\nConnection: close\\r\\n\\r\\n#{GREETING}"
  client.close
rescue EOFError, SystemCallError => error
  warn error
end
`,
    },
  },
  {
    name: 'composer',
    path: /\/composer\/dist\/.*\.zip$/,
    files: {
      'composer.json': JSON.stringify({ require: { [packageName.replace('-', '/')]: '1.0.0' } }),
      'index.php': "<?php require 'vendor/autoload.php'; echo GREETING;\n",
    },
  },
  {
    name: 'go',
    path: /\/go\/.*\.zip$/,
    files: {
      'go.mod': `module app.test\n\ngo 1.21\n\nrequire ${goModule} v1.0.0\n`,
      'go.sum': goSum(),
      // The standard library's HTTP would take half a minute to compile.
      'main.go': `package main

import (
	"net"
	"os"

	greeting "${goModule}"
)

func main() {
	listener, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
	for err == nil {
		var client net.Conn
		if client, err = listener.Accept(); err == nil {
			client.Read(make([]byte, 4096))
			client.Write([]byte("HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" + greeting.Greeting))
			client.Close()
		}
	}
	panic(err)
}
`,
    },
  },
];
