# Two stages: the first builds with all tools, the second holds what runs.
FROM node:24-slim AS build
WORKDIR /signalbox
COPY . .
RUN npm ci && npm run build && npm ci --omit=dev

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=7070 SIGNALBOX_DATA=/data
WORKDIR /signalbox
COPY --from=build --chown=node:node /signalbox /signalbox
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/healthz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "server/bin/signalbox.js", "serve"]
