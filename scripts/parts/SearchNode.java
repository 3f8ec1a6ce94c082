import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Runs one Elasticsearch node in this process: SearchNode HOME NAME=VALUE... The server's classes are
 * reached by reflection alone, so that a compiler which can't read their format compiles this.
 */
public class SearchNode {
    private static final String ROOT = "org.elasticsearch.";

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Object builder = call(type("common.settings.Settings"), null, "builder");
        put(builder, "path.home", arguments[0]);
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            put(builder, pair[0], pair[1]);
        }
        Object settings = call(builder.getClass(), builder, "build");
        Class<?> logging = type("common.logging.LogConfigurator");
        call(logging, null, "configureESLogging");
        call(logging, null, "configureWithoutConfig", settings);
        Supplier<String> name = () -> "n1";
        Object environment = call(type("node.InternalSettingsPreparer"), null, "prepareEnvironment",
            settings, Map.of(), home.resolve("config"), name);
        Class<?> loader = type("plugins.PluginsLoader");
        Object modules = call(loader, null, "loadModulesBundles", home.resolve("modules"), false);
        Object plugins = call(loader, null, "createPluginsLoader", modules, Set.of(), Map.of(), false);
        Class<?> nodeType = type("node.Node");
        Object node = nodeType.getConstructor(environment.getClass(), loader).newInstance(environment, plugins);
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

    private static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(ROOT + name);
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
