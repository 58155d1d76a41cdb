export default {
  // What is measured is `next start`, without a look at whoever else is there.
  experimental: { serverActions: { bodySizeLimit: '1mb' } },
}
