// node-http-proxy as a gateway: PORT and UPSTREAM_URL say where.

const { createProxyServer } = require("http-proxy");

const { PORT, UPSTREAM_URL } = process.env;
const gateway = createProxyServer({ target: new URL(UPSTREAM_URL).origin, ws: true });
gateway.on("error", (error) => console.error(error.message));
gateway.listen(Number(PORT), "127.0.0.1");
