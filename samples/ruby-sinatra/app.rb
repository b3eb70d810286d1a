require 'json'
require 'sinatra'

set :host_authorization, permitted_hosts: []
$stdout.sync = true

after { puts "#{request.request_method} #{request.path} #{response.status}" }

get '/' do
  content_type :text
  "Hello from Sinatra, instance #{ENV.fetch('CF_INSTANCE_INDEX', '0')}\n"
end

get '/env' do
  content_type :json
  application = JSON.parse(ENV.fetch('VCAP_APPLICATION', '{}'))
  ENV.slice('PORT', 'MEMORY_LIMIT', 'CF_INSTANCE_INDEX').merge('name' => application['name']).to_json
end
