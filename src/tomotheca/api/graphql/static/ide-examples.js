// Queries to begin with.

export const EXAMPLES = [
  {
    name: "Newest datasets",
    query: `query Newest($limit: Int = 5) {
  datasets(orderBy: [{releaseDate: desc}], limitOffset: {limit: $limit}) {
    id
    title
    organismName
    runs(first: 3) { edges { node { id name } } }
    runsAggregate { aggregate { count } }
  }
}`,
    variables: '{\n  "limit": 5\n}',
  },
  {
    name: "What is annotated, and how often",
    query: `{
  annotationsAggregate {
    aggregate {
      count
      groupBy { objectName groundTruthStatus }
    }
  }
}`,
  },
  {
    name: "Tomograms with annotated ribosomes",
    query: `query Tomograms($object: String!) {
  tomograms(
    where: {run: {annotations: {objectName: {_ilike: $object}}}}
    orderBy: [{voxelSpacing: asc}]
    limitOffset: {limit: 20}
  ) {
    id
    name
    voxelSpacing
    processing
    httpsOmezarrDir
    run { id name dataset { id title } }
  }
}`,
    variables: '{\n  "object": "%ribosome%"\n}',
  },
  {
    name: "Files of annotations with their points",
    query: `query Points($limit: Int = 20) {
  annotationFiles(
    where: {annotationShape: {shapeType: {_in: [Point, OrientedPoint]}}}
    limitOffset: {limit: $limit}
  ) {
    format
    httpsPath
    fileSize
    annotationShape { shapeType annotation { id objectName objectCount run { id name } } }
  }
}`,
    variables: '{\n  "limit": 20\n}',
  },
  {
    name: "Cameras, and their tilt series in numbers",
    query: `{
  tiltseriesAggregate {
    aggregate {
      count
      groupBy { cameraModel }
      avg { totalFlux pixelSpacing }
      min { tiltMin }
      max { tiltMax }
    }
  }
}`,
  },
  {
    name: "Runs with at least two annotations",
    query: `query Runs($least: Int = 2) {
  runs(
    where: {annotationsAggregate: {count: {predicate: {_gte: $least}}}}
    limitOffset: {limit: 20}
  ) {
    id
    name
    annotationsAggregate { aggregate { count groupBy { objectName } } }
  }
}`,
    variables: '{\n  "least": 2\n}',
  },
];
