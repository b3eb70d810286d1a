package sample;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

public final class Web {
    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(variable("PORT", "8080"));
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", exchange -> answer(exchange, "text/plain", "Hello from Java, instance " + variable("CF_INSTANCE_INDEX", "0") + "\n"));
        server.createContext("/env", exchange -> answer(exchange, "application/json", environment()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            System.out.println("stopping");
            server.stop(5);
        }));
        server.start();
        System.out.println("listening on " + port);
    }

    private static void answer(HttpExchange exchange, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
        System.out.println(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " 200");
    }

    private static String environment() {
        return String.format("{\"PORT\":\"%s\",\"MEMORY_LIMIT\":\"%s\",\"CF_INSTANCE_INDEX\":\"%s\"}%n",
                variable("PORT", ""), variable("MEMORY_LIMIT", ""), variable("CF_INSTANCE_INDEX", ""));
    }

    private static String variable(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }
}
