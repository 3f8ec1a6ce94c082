import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Runs one node of Elasticsearch or OpenSearch in this process: SearchServer elasticsearch|opensearch
 * HOME NAME=VALUE... The server's classes are reached by reflection alone, so that a compiler which
 * can't read their format compiles this.
 */
public class SearchServer {
    private static String root;

    public static void main(String[] arguments) throws Exception {
        root = "org." + arguments[0] + ".";
        Path home = Path.of(arguments[1]);
        Object builder = call(type("common.settings.Settings"), null, "builder");
        put(builder, "path.home", arguments[1]);
        for (int i = 2; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            put(builder, pair[0], pair[1]);
        }
        boolean elasticsearch = arguments[0].equals("elasticsearch");
        Object settings = call(builder.getClass(), builder, "build");
        Class<?> logging = type("common.logging.LogConfigurator");
        if (elasticsearch) {
            call(logging, null, "configureESLogging");
        }
        call(logging, null, "configureWithoutConfig", settings);
        Supplier<String> name = () -> "n1";
        Object environment = call(type("node.InternalSettingsPreparer"), null, "prepareEnvironment",
            settings, Map.of(), home.resolve("config"), name);
        Class<?> nodeType = type("node.Node");
        Object node = elasticsearch ? elasticsearch(nodeType, environment, home) : opensearch(nodeType, environment);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                call(nodeType, node, "close");
                call(nodeType, node, "awaitClose", 20L, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        call(nodeType, node, "start");
        new CountDownLatch(1).await();
    }

    /** A node with the modules that lie below its home. */
    private static Object elasticsearch(Class<?> nodeType, Object environment, Path home) throws Exception {
        Class<?> loader = type("plugins.PluginsLoader");
        Object modules = call(loader, null, "loadModulesBundles", home.resolve("modules"), false);
        Object plugins = call(loader, null, "createPluginsLoader", modules, Set.of(), Map.of(), false);
        return nodeType.getConstructor(environment.getClass(), loader).newInstance(environment, plugins);
    }

    /** A node with the modules that are on the class path, of which it needs but the one for HTTP. */
    private static Object opensearch(Class<?> nodeType, Object environment) throws Exception {
        Class<?> version = type("Version");
        Class<?> info = type("plugins.PluginInfo");
        String netty = root + "transport.Netty4ModulePlugin";
        Constructor<?> described = info.getConstructor(String.class, String.class, String.class, version, String.class,
            String.class, List.class, boolean.class);
        Object module = described.newInstance(netty, netty, "NA", version.getField("CURRENT").get(null), "21", netty,
            List.of(), false);
        Constructor<?> made = nodeType.getDeclaredConstructor(environment.getClass(), Collection.class, boolean.class);
        made.setAccessible(true);
        return made.newInstance(environment, List.of(module), true);
    }

    private static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(root + name);
    }

    private static void put(Object builder, String name, String value) throws Exception {
        builder.getClass().getMethod("put", String.class, String.class).invoke(builder, name, value);
    }

    private static Object call(Class<?> type, Object target, String name, Object... arguments) throws Exception {
        for (Method method : type.getMethods()) {
            if (method.getName().equals(name) && method.getParameterCount() == arguments.length) {
                try {
                    return method.invoke(target, arguments);
                } catch (IllegalArgumentException another) {
                    continue;
                } catch (InvocationTargetException e) {
                    throw e.getCause() instanceof Exception cause ? cause : e;
                }
            }
        }
        throw new NoSuchMethodException(type + "." + name);
    }
}
