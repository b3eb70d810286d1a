<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/env') {
    $application = json_decode(getenv('VCAP_APPLICATION') ?: '{}', true);
    $values = ['name' => $application['name'] ?? null];
    foreach (['PORT', 'MEMORY_LIMIT', 'CF_INSTANCE_INDEX'] as $name) {
        $values[$name] = getenv($name) ?: null;
    }
    header('Content-Type: application/json');
    echo json_encode($values), "\n";
} else {
    header('Content-Type: text/plain');
    echo 'Hello from PHP, instance ', getenv('CF_INSTANCE_INDEX') ?: '0', "\n";
}
