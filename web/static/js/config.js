// Where the API is: /config.json of this origin, read once at the start.
const config = { api_url: "", inbox_url: null };

export async function loadConfig() {
  const response = await fetch("/config.json");
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  Object.assign(config, await response.json());
}

export default config;
